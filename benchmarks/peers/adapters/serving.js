// Answers the benchmark's commands about one classifier: the counterpart of serving.py for packages of npm.
// Commands come as lines of JSON on standard input; answers go as lines of JSON to the file descriptor that the first
// argument names. The second is the folder whose node_modules are used.

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { createRequire } = require('module');

const SIDE = 48;
const replies = Number(process.argv[2]);
const folder = path.resolve(process.argv[3]);
const requireThere = createRequire(path.join(folder, 'package.json'));
console.log = console.error;

function reply(answer) {
  fs.writeSync(replies, `${JSON.stringify(answer)}\n`);
}

function packageVersion(name) {
  return JSON.parse(fs.readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
}

// `classify` takes a Uint8Array of n x 48 x 48 and n, and gives a promise of n x labels numbers.
async function serve(load, packages) {
  const { classify, labels } = await load(requireThere, folder);
  const versions = { node: process.version.slice(1) };
  for (const name of packages) versions[name] = packageVersion(name);
  reply({ labels, versions });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const faces = new Uint8Array(fs.readFileSync(command.faces));
    const count = faces.length / (SIDE * SIDE);
    const some = (first, n) => faces.subarray(first * SIDE * SIDE, (first + n) * SIDE * SIDE);
    if (command.scores) {
      const scores = new Float32Array(count * labels.length);
      for (let first = 0; first < count; first += 64) {
        const n = Math.min(64, count - first);
        scores.set(await classify(some(first, n), n), first * labels.length);
      }
      fs.writeFileSync(command.scores, Buffer.from(scores.buffer));
      reply({ n: count });
    } else {
      const seconds = [];
      const begun = performance.now();
      while (seconds.length < 1 || performance.now() - begun < 1000 * command.budget) {
        const first = (seconds.length * command.batch) % (count - command.batch + 1);
        const called = performance.now();
        await classify(some(first, command.batch), command.batch);
        seconds.push((performance.now() - called) / 1000);
      }
      reply({ seconds });
    }
  }
}

module.exports = { SIDE, serve };
