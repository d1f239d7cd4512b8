// The face detectors of npm `@vladmandic/face-api` (tiny, ssd) and `@vladmandic/human` (human), with their default
// settings, except that human may find more than one face. The counterpart of detecting.py: arguments are the file
// descriptor for answers, the folder whose node_modules are used, and the detector's name.

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
  const network = kind === 'tiny' ? faceapi.nets.tinyFaceDetector : faceapi.nets.ssdMobilenetv1;
  await network.loadFromDisk(path.join(modules, '@vladmandic', 'face-api', 'model'));
  const options = kind === 'tiny' ? new faceapi.TinyFaceDetectorOptions()
    : new faceapi.SsdMobilenetv1Options({ minConfidence: 0.5, maxResults: 100 });
  return async (pixels, width, height) => {
    const picture = tf.tensor3d(pixels, [height, width, 3], 'int32');
    const found = await faceapi.detectAllFaces(picture, options);
    picture.dispose();
    return found.map(({ box }) => [box.left, box.top, box.right, box.bottom]);
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
      mesh: off, iris: off, emotion: off, description: off, attention: off, antispoof: off, liveness: off,
    },
  });
  await reader.load();
  return async (pixels, width, height) => {
    const picture = reader.tf.tensor(pixels, [1, height, width, 3], 'int32');
    const result = await reader.detect(picture);
    reader.tf.dispose(picture);
    if (result.error) throw new Error(result.error);
    return result.face.map(({ box: [left, top, wide, high] }) => [left, top, left + wide, top + high]);
  };
}

async function main() {
  const name = process.argv[4];
  const detect = name === 'human' ? await human() : await faceApi(name);
  fs.writeSync(replies, '{}\n');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const pixels = new Uint8Array(fs.readFileSync(command.pixels));
    const begun = performance.now();
    const boxes = await detect(pixels, command.width, command.height);
    const seconds = (performance.now() - begun) / 1000;
    fs.writeSync(replies, `${JSON.stringify({ boxes, seconds })}\n`);
  }
}

main();
