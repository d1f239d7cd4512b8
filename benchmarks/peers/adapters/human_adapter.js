// npm `@vladmandic/human`: its emotion network on the WebAssembly backend of TensorFlow.js, with the pixels prepared as
// its own code does: enlarged bilinearly to 64 x 64, grey, from -1 to 1.

const fs = require('fs');
const path = require('path');
const { SIDE, serve } = require('./serving.js');

async function load(requireThere, folder) {
  const tf = requireThere('@tensorflow/tfjs-core');
  const { loadGraphModel } = requireThere('@tensorflow/tfjs-converter');
  const wasm = requireThere('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(path.join(folder, 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist', path.sep));
  await tf.setBackend('wasm');
  await tf.ready();
  const models = path.join(folder, 'node_modules', '@vladmandic', 'human', 'models');
  const description = JSON.parse(fs.readFileSync(path.join(models, 'emotion.json'), 'utf8'));
  const weights = fs.readFileSync(path.join(models, 'emotion.bin'));
  const model = await loadGraphModel(tf.io.fromMemory({
    modelTopology: description.modelTopology,
    weightSpecs: description.weightsManifest[0].weights,
    weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
    format: description.format,
    generatedBy: description.generatedBy,
    convertedBy: description.convertedBy,
    userDefinedMetadata: description.userDefinedMetadata,
  }));
  async function classify(faces, n) {
    const scores = tf.tidy(() => {
      const grey = tf.div(tf.tensor4d(Float32Array.from(faces), [n, SIDE, SIDE, 1]), 255);
      const enlarged = tf.image.resizeBilinear(grey, [64, 64], false);
      return model.execute(tf.mul(tf.sub(enlarged, 0.5), 2));
    });
    const values = await scores.data();
    scores.dispose();
    return values;
  }
  return { classify, labels: ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'] };
}

serve(load, ['@vladmandic/human', '@tensorflow/tfjs-backend-wasm']);
