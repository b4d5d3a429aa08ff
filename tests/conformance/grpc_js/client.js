// One case of @grpc/grpc-js against a server: node client.js ADDRESS CASE. Prints what came back as one line of JSON.
'use strict';

const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const SRC = path.join(__dirname, '../../../src');
const load = (file, ...folders) =>
  grpc.loadPackageDefinition(
    loader.loadSync(file, { longs: Number, enums: String, keepCase: true, defaults: true, includeDirs: folders.map((f) => path.join(SRC, f)) }),
  );
const { GRPCInferenceService } = load('grpc_service.proto', 'dialect/kserve_v2/proto', 'model/proto').inference;
const { Health } = load('grpc/health/v1/health.proto', 'wire/proto').grpc.health.v1;

const [address, name] = process.argv.slice(2);
const credentials = grpc.credentials.createInsecure();
const inference = new GRPCInferenceService(address, credentials);
const health = new Health(address, credentials);

function request(value, model = 'scaled') {
  const raw = Buffer.from(new Float32Array(4).fill(value).buffer);
  return {
    model_name: model,
    id: String(value),
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4] }],
    raw_input_contents: [raw],
  };
}

function floats(response) {
  return Array.from({ length: 4 }, (_, i) => response.raw_output_contents[0].readFloatLE(4 * i));
}

const unary = (client, method, message, options = {}) =>
  new Promise((resolve, reject) => client[method](message, options, (error, reply) => (error ? reject(error) : resolve(reply))));

const cases = {
  async infer() {
    return floats(await unary(inference, 'ModelInfer', request(2)));
  },

  async many_at_once() {
    const values = Array.from({ length: 200 }, (_, i) => i);
    const replies = await Promise.all(values.map((value) => unary(inference, 'ModelInfer', request(value))));
    return replies.every((reply, i) => reply.id === String(i) && floats(reply)[3] === 3 * i);
  },

  stream() {
    return new Promise((resolve, reject) => {
      const call = inference.ModelStreamInfer();
      const seen = [];
      call.on('data', (reply) => {
        seen.push([reply.error_message, reply.infer_response.id, floats(reply.infer_response)[0]]);
        // The next request is sent when its predecessor is answered, so that both directions are in use.
        if (seen.length < 5) call.write(request(seen.length));
        else call.end();
      });
      call.on('error', reject);
      call.on('end', () => resolve(seen));
      call.write(request(0));
    });
  },

  async unknown_model() {
    return unary(inference, 'ModelInfer', request(1, 'none')).catch((error) => [grpc.status[error.code], error.details]);
  },

  async large() {
    const [width, rows] = [4, 200_000];
    const message = request(0);
    message.inputs[0].shape = [rows, width];
    message.raw_input_contents = [Buffer.from(new Float32Array(rows * width).fill(1).buffer)];
    const reply = await unary(inference, 'ModelInfer', message);
    return reply.raw_output_contents[0].length;
  },

  async deadline() {
    const late = { deadline: Date.now() - 1000 };
    return unary(inference, 'ModelInfer', request(1), late).catch((error) => grpc.status[error.code]);
  },

  async health() {
    return (await unary(health, 'Check', { service: '' })).status;
  },

  watch() {
    return new Promise((resolve, reject) => {
      const call = health.Watch({ service: '' });
      let status;
      call.on('data', (reply) => {
        status = reply.status;
        call.cancel();
      });
      call.on('error', (error) => (error.code === grpc.status.CANCELLED ? resolve(status) : reject(error)));
    });
  },
};

cases[name]().then(
  (result) => {
    console.log(JSON.stringify(result));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
