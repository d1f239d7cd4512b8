// npm `@vladmandic/face-api` (tiny, ssd) and `@vladmandic/human` (human) on whole photos: detector and expressions, with
// their default settings, except that they may find up to 100 faces. The counterpart of reading_photos.py: arguments are
// the file descriptor for answers, the folder whose node_modules are used, and which of the three.

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { createRequire } = require('module');

const replies = Number(process.argv[2]);
const folder = path.resolve(process.argv[3]);
const requireThere = createRequire(path.join(folder, 'package.json'));
const modules = path.join(folder, 'node_modules');
const wasmFolder = path.join(modules, '@tensorflow', 'tfjs-backend-wasm', 'dist', path.sep);
console.log = console.error;

async function faceApi(kind) {
  const tf = requireThere('@tensorflow/tfjs');
  requireThere('@tensorflow/tfjs-backend-wasm').setWasmPaths(wasmFolder);
  await tf.setBackend('wasm');
  await tf.ready();
  const faceapi = requireThere('@vladmandic/face-api/dist/face-api.node-wasm.js');
  const weights = path.join(modules, '@vladmandic', 'face-api', 'model');
  await (kind === 'tiny' ? faceapi.nets.tinyFaceDetector : faceapi.nets.ssdMobilenetv1).loadFromDisk(weights);
  await faceapi.nets.faceExpressionNet.loadFromDisk(weights);
  const options = kind === 'tiny' ? new faceapi.TinyFaceDetectorOptions()
    : new faceapi.SsdMobilenetv1Options({ maxResults: 100 });
  return async (pixels, width, height) => {
    const picture = tf.tensor3d(pixels, [height, width, 3], 'int32');
    const found = await faceapi.detectAllFaces(picture, options).withFaceExpressions();
    picture.dispose();
    return found.length;
  };
}

async function human() {
  // The package loads its weights by fetch, which in Node takes no file.
  globalThis.fetch = async (url) => new Response(fs.readFileSync(new URL(url)));
  const { Human } = require(path.join(modules, '@vladmandic', 'human', 'dist', 'human.node-wasm.js'));
  const off = { enabled: false };
  const reader = new Human({
    backend: 'wasm',
    wasmPath: wasmFolder,
    modelBasePath: `file://${path.join(modules, '@vladmandic', 'human', 'models')}/`,
    cacheSensitivity: 0,
    filter: off, gesture: off, body: off, hand: off, object: off, segmentation: off,
    face: {
      enabled: true,
      detector: { enabled: true, maxDetected: 100, rotation: false },
      emotion: { enabled: true },
      mesh: off, iris: off, description: off, attention: off, antispoof: off, liveness: off,
    },
  });
  await reader.load();
  return async (pixels, width, height) => {
    const picture = reader.tf.tensor(pixels, [1, height, width, 3], 'int32');
    const result = await reader.detect(picture);
    reader.tf.dispose(picture);
    if (result.error) throw new Error(result.error);
    return result.face.filter((face) => face.emotion && face.emotion.length).length;
  };
}

async function main() {
  const kind = process.argv[4];
  const read = kind === 'human' ? await human() : await faceApi(kind);
  const name = kind === 'human' ? '@vladmandic/human' : '@vladmandic/face-api';
  const { version } = JSON.parse(fs.readFileSync(path.join(modules, name, 'package.json'), 'utf8'));
  const labels = ['neutral', 'happy', 'sad', 'angry', 'fear', 'disgust', 'surprise'];
  fs.writeSync(replies, `${JSON.stringify({ labels, versions: { [name]: version, node: process.version.slice(1) } })}\n`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const pixels = new Uint8Array(fs.readFileSync(command.pixels));
    const begun = performance.now();
    const faces = await read(pixels, command.width, command.height);
    const seconds = (performance.now() - begun) / 1000;
    // Not resourceUsage: what it gives includes the process that started this one.
    const memory = Number(/VmHWM:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
    fs.writeSync(replies, `${JSON.stringify({ faces, seconds, memory })}\n`);
  }
}

main();
