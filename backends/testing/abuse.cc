// A backend that keeps the ABI's rules or breaks them, as its model's file name says: the host must come through all of
// it with each request completed exactly once. Written against the C header alone, as a backend in C would be.

#include <atomic>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "abuse.h"

namespace abuse {

const mm_host* host = nullptr;

namespace {

std::atomic<int> released{0};  // memory lent to the host and given back

struct Instance {
  Model* model;
  std::vector<std::thread> threads;
  ~Instance() { join(); }
  void join() {
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
};

constexpr int64_t kShape[1] = {-1};
const mm_tensor_spec kSpecs[3] = {{sizeof(mm_tensor_spec), "x", MM_FP32, 1, kShape, nullptr, 0},
                                  {sizeof(mm_tensor_spec), "y", MM_FP32, 1, kShape, nullptr, 0},
                                  {sizeof(mm_tensor_spec), "s", MM_STRING, 1, kShape, nullptr, 1}};
const mm_tensor_spec kOutputs[2] = {{sizeof(mm_tensor_spec), "out", MM_FP32, 1, kShape, nullptr, 0},
                                    {sizeof(mm_tensor_spec), "text", MM_STRING, 1, kShape, nullptr, 0}};

mm_error* lend(mm_response* response, int64_t count, uint64_t bytes, mm_memory_kind kind) {
  auto* values = new std::vector<float>(static_cast<size_t>(count), 2.5f);
  mm_adopt_output_args args{};
  args.struct_size = sizeof args;
  args.name = "out";
  args.dtype = MM_FP32;
  args.rank = 1;
  args.shape = &count;
  args.memory.struct_size = sizeof args.memory;
  args.memory.data = values->data();
  args.memory.size = bytes;
  args.memory.kind = kind;
  args.release_context = values;
  args.release = [](void* context) {
    delete static_cast<std::vector<float>*>(context);
    released.fetch_add(1);
  };
  return host->output_adopt(response, &args);
}

/// Answers with input x, doubled.
void answer_twice_x(mm_request* request, uint32_t flags = MM_RESPONSE_FINAL) {
  mm_tensor x{};
  x.struct_size = sizeof x;
  drop(host->request_input(request, 0, &x));
  std::vector<float> values;
  for (uint32_t i = 0; i < x.chunk_count; ++i) {
    const auto* data = static_cast<const float*>(x.chunks[i].data);
    for (size_t k = 0; k < x.chunks[i].size / sizeof(float); ++k) values.push_back(2 * data[k]);
  }
  mm_response* response = response_of(request);
  drop(put(response, "out", MM_FP32, static_cast<int64_t>(values.size()), values.data()));
  host->response_send(response, nullptr, flags);
}

void done(mm_execution* execution) {
  mm_execution_done_args args{sizeof args, 1'000, 2'000};
  host->execution_done(execution, &args);
}

void strings(mm_request* request) {
  mm_tensor in{};
  in.struct_size = sizeof in;
  mm_response* response = response_of(request);
  mm_error* error = nullptr;
  mm_request_info info{};
  info.struct_size = sizeof info;
  host->request_info(request, &info);
  for (uint32_t i = 0; i < info.input_count && error == nullptr; ++i) {
    error = host->request_input(request, i, &in);
    if (error != nullptr || in.dtype != MM_STRING) continue;
    const int64_t count = static_cast<int64_t>(in.element_count);
    mm_string_output_args out{sizeof out, "text", 1, &count, in.offsets, in.chunks[0].data};
    error = host->output_strings(response, &out);
  }
  host->response_send(response, error, MM_RESPONSE_FINAL);
}

/// Sends an output that breaks a rule and, ignoring the error, the response.
void wrong_output(const std::string& mode, mm_request* request) {
  mm_response* response = response_of(request);
  const float values[3] = {1, 2, 3};
  if (mode == "wrong_name") drop(put(response, "nope", MM_FP32, 3, values));
  if (mode == "wrong_dtype") drop(put(response, "out", MM_INT32, 3, values));
  if (mode == "wrong_size") drop(lend(response, 3, 8, MM_MEMORY_CPU));
  if (mode == "gpu_output") drop(lend(response, 3, 12, MM_MEMORY_GPU));
  if (mode == "negative_shape") drop(put(response, "out", MM_FP32, -3, nullptr));
  if (mode == "huge_shape") drop(put(response, "out", MM_FP32, INT64_MAX / 8, nullptr));
  if (mode == "twice") {
    drop(put(response, "out", MM_FP32, 3, values));
    drop(put(response, "out", MM_FP32, 3, values));
  }
  if (mode == "bad_offsets") {
    const uint64_t offsets[3] = {0, 5, 2};
    const int64_t count = 2;
    mm_string_output_args out{sizeof out, "text", 1, &count, offsets, "hello"};
    drop(host->output_strings(response, &out));
  }
  host->response_send(response, nullptr, MM_RESPONSE_FINAL);
}

/// Tries what this server rejects; answers with the messages.
void rejected(mm_request* request) {
  std::string said;
  const auto note = [&](mm_error* error) {
    said += error == nullptr ? "accepted;" : std::to_string(host->error_code(error)) + ";";
    drop(error);
  };
  mm_tensor state{};
  state.struct_size = sizeof state;
  note(host->state_read(request, "h", &state));
  note(host->state_write(request, &state));
  mm_allocate_args memory{};
  memory.struct_size = sizeof memory;
  memory.size = 64;
  memory.kind = MM_MEMORY_GPU;
  note(host->allocate(&memory));
  memory.kind = MM_MEMORY_CPU_PINNED;
  note(host->allocate(&memory));
  memory.kind = MM_MEMORY_CPU;
  memory.alignment = 48;
  note(host->allocate(&memory));
  memory.alignment = 4096;
  note(host->allocate(&memory));
  if (reinterpret_cast<uintptr_t>(memory.data) % 4096 != 0) said += "misaligned;";
  host->release(memory.data, MM_MEMORY_CPU, 0);
  mm_tensor input{};
  note(host->request_input(request, 0, &input));  // struct_size not set
  input.struct_size = sizeof input;
  note(host->request_input(request, 99, &input));
  answer_said(request, said);
}

void decoupled(mm_request* request) {
  for (int i = 0; i < 3; ++i) answer_twice_x(request, 0);
  host->request_finish(request);
}

/// A stranger's thread answers all and ends the execution.
void answer_later(Instance* instance, std::vector<mm_request*> requests, mm_execution* execution) {
  instance->threads.emplace_back([requests = std::move(requests), execution] {
    for (mm_request* request : requests) answer_twice_x(request);
    done(execution);
  });
}

mm_error* run_one(Model* model, mm_request* request) {
  const std::string& mode = model->mode;
  if (mode == "no_answer") return nullptr;
  if (mode == "double_final") {
    mm_response* response = response_of(request);
    host->response_send(response, nullptr, MM_RESPONSE_FINAL);
    host->response_send(response, host->error_new(MM_INTERNAL, "again"), MM_RESPONSE_FINAL);
    mm_response* late = reinterpret_cast<mm_response*>(1);
    drop(host->response_new(request, &late));
    if (late != nullptr) std::abort();
    host->request_finish(request);
    mm_tensor x{};
    x.struct_size = sizeof x;
    drop(host->request_input(request, 0, &x));
    if (host->request_cancelled(request) == 0) std::abort();
  } else if (mode == "abandoned_response") {
    drop(lend(response_of(request), 3, 12, MM_MEMORY_CPU));
    answer_twice_x(request);
  } else if (mode == "lend") {
    mm_response* response = response_of(request);
    drop(lend(response, 1024, 4096, MM_MEMORY_CPU));
    host->response_send(response, nullptr, MM_RESPONSE_FINAL);
  } else if (mode == "own_error") {
    host->response_send(response_of(request), host->error_new(MM_OUT_OF_RANGE, "this one is bad"), MM_RESPONSE_FINAL);
  } else if (mode == "not_final") {
    answer_twice_x(request, 0);
  } else if (mode == "finish_only") {
    host->request_finish(request);
  } else if (mode == "strings") {
    strings(request);
  } else if (mode == "decoupled") {
    decoupled(request);
  } else if (mode == "call_model") {
    call_other(model, request);
  } else if (mode == "call_detailed") {
    call_detailed(model, request);
  } else if (mode == "change_model") {
    change_models(model, request);
  } else if (mode == "rejected") {
    rejected(request);
  } else if (mode == "metrics") {
    host->metric_update(model->counter, 2);
    host->metric_update(model->gauge, 7);
    host->metric_update(model->histogram, 3);
    answer_twice_x(request);
  } else if (mode == "ok" || mode == "double_done" || mode == "error_after_done" || mode == "bad_metrics") {
    answer_twice_x(request);
  } else {
    wrong_output(mode, request);
  }
  return nullptr;
}

mm_error* execute(mm_execute_args* args) {
  auto* instance = reinterpret_cast<Instance*>(args->instance);
  const std::string& mode = instance->model->mode;
  std::vector<mm_request*> requests(args->requests, args->requests + args->request_count);
  if (mode == "refuse") return host->error_new(MM_UNAVAILABLE, "not today");
  if (mode == "refuse_half") {
    answer_twice_x(requests[0]);
    return host->error_new(MM_UNAVAILABLE, "not all of it");
  }
  if (mode == "throw") throw std::runtime_error("thrown over the wall");
  if (mode == "async") {
    instance->join();
    answer_later(instance, std::move(requests), args->execution);
    return nullptr;
  }
  for (mm_request* request : requests) run_one(instance->model, request);
  done(args->execution);
  if (mode == "double_done") done(args->execution);
  return mode == "error_after_done" ? host->error_new(MM_INTERNAL, "too late") : nullptr;
}

mm_error* make_metrics(Model* model) {
  const char* label = "kind";
  const char* value = "test";
  const double buckets[2] = {1, 10};
  mm_metric_args args{sizeof args, MM_METRIC_COUNTER, "abuse_seen_total", "Requests seen", 1, &label, &value, 0,
                      nullptr};
  if (model->mode == "bad_metrics") {
    args.name = "nv_inference_count";
    return host->metric_new(model->host_model, &args, &model->counter);
  }
  if (mm_error* error = host->metric_new(model->host_model, &args, &model->counter)) return error;
  args.kind = MM_METRIC_GAUGE;
  args.name = "abuse_level";
  if (mm_error* error = host->metric_new(model->host_model, &args, &model->gauge)) return error;
  args.kind = MM_METRIC_HISTOGRAM;
  args.name = "abuse_size";
  args.bucket_count = 2;
  args.buckets = buckets;
  return host->metric_new(model->host_model, &args, &model->histogram);
}

mm_error* model_load(mm_backend_state*, mm_model_load_args* args) {
  if (std::string_view(args->file) == "load_error") return host->error_new(MM_INVALID_ARGUMENT, "a corrupt file");
  auto* model = new Model{args->host_model, args->file};
  args->model = reinterpret_cast<mm_model*>(model);
  host->log(args->host_model, MM_LOG_DEBUG, "loaded");
  if (mm_error* error = make_metrics(model)) {
    delete model;
    return error;
  }
  return nullptr;
}

mm_error* model_info(mm_model* model, mm_model_info* out) {
  const std::string& mode = reinterpret_cast<Model*>(model)->mode;
  out->inputs = kSpecs;
  out->input_count = 3;
  out->outputs = kOutputs;
  out->output_count = 2;
  out->capabilities = mode == "decoupled" ? MM_CAP_DECOUPLED : MM_CAP_INLINE_SAFE;
  out->recommended_instances = 2;
  out->memory_bytes = static_cast<uint64_t>(released.load());
  out->platform = "abuse";
  return mode == "info_error" ? host->error_new(MM_INTERNAL, "no idea") : nullptr;
}

const mm_backend kTable = {
    .struct_size = sizeof(mm_backend),
    .abi_major = MM_ABI_MAJOR,
    .abi_minor = MM_ABI_MINOR,
    .name = "abuse",
    .version = "1.0",
    .default_file = "model.abuse",
    .file_extensions = ".abuse, .bad",
    .initialize = [](mm_initialize_args* args) -> mm_error* {
      return std::string_view(args->config_json).find("fail") == std::string_view::npos
                 ? nullptr
                 : host->error_new(MM_FAILED_PRECONDITION, "told to fail");
    },
    .runtime_info =
        [](mm_backend_state*, mm_runtime_info* out) {
          out->available = 1;
          out->runtime = "nothing";
          out->version = "0";
          out->path = out->problem = out->remedy = "";
          out->devices = "CPU";
        },
    .model_load = model_load,
    .model_info = model_info,
    .model_unload = [](mm_model* model) { delete reinterpret_cast<Model*>(model); },
    .instance_create = [](mm_instance_args* args) -> mm_error* {
      args->instance = reinterpret_cast<mm_instance*>(new Instance{reinterpret_cast<Model*>(args->model), {}});
      return nullptr;
    },
    .instance_destroy = [](mm_instance* instance) { delete reinterpret_cast<Instance*>(instance); },
    .execute = execute,
};

}  // namespace
}  // namespace abuse

extern "C" MM_EXPORT const mm_backend* mm_backend_entry(const mm_host* table) {
  if (table->abi_major != MM_ABI_MAJOR) return nullptr;
  abuse::host = table;
  return &abuse::kTable;
}
