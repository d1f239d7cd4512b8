// npm `@vladmandic/face-api`: its expression network on the WebAssembly backend of TensorFlow.js. The package enlarges
// colour pictures of any size to 112 x 112 itself.

const path = require('path');
const { SIDE, serve } = require('./serving.js');

async function load(requireThere, folder) {
  const tf = requireThere('@tensorflow/tfjs');
  const wasm = requireThere('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(path.join(folder, 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist', path.sep));
  await tf.setBackend('wasm');
  await tf.ready();
  const faceapi = requireThere('@vladmandic/face-api/dist/face-api.node-wasm.js');
  const network = faceapi.nets.faceExpressionNet;
  await network.loadFromDisk(path.join(folder, 'node_modules', '@vladmandic', 'face-api', 'model'));
  async function classify(faces, n) {
    const pictures = tf.tidy(() => {
      const grey = tf.tensor4d(Float32Array.from(faces), [n, SIDE, SIDE, 1]);
      return tf.unstack(tf.tile(grey, [1, 1, 1, 3]));
    });
    const scores = await network.forward(pictures);
    const values = await scores.data();
    tf.dispose([...pictures, scores]);
    return values;
  }
  return { classify, labels: ['neutral', 'happy', 'sad', 'angry', 'fearful', 'disgusted', 'surprised'] };
}

serve(load, ['@vladmandic/face-api', '@tensorflow/tfjs-backend-wasm']);
