#include "fake_host.h"

#include <cstdio>
#include <cstdlib>

namespace modelmill::python::testing {
namespace {

struct FakeError {
  mm_code code;
  std::string message;
};

struct FakeResponse {
  FakeRequest* request;
  Answer answer;
};

void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "the ABI is broken: %s\n", rule);
  std::abort();
}

FakeRequest* of(mm_request* handle) { return reinterpret_cast<FakeRequest*>(handle); }
FakeResponse* of(mm_response* handle) { return reinterpret_cast<FakeResponse*>(handle); }
FakeError* of(mm_error* handle) { return reinterpret_cast<FakeError*>(handle); }

mm_error* error_new(mm_code code, const char* message) {
  return reinterpret_cast<mm_error*>(new FakeError{code, message});
}
mm_code error_code(const mm_error* error) { return reinterpret_cast<const FakeError*>(error)->code; }
const char* error_message(const mm_error* error) { return reinterpret_cast<const FakeError*>(error)->message.c_str(); }
void error_free(mm_error* error) { delete of(error); }

void log(const mm_host_model*, mm_log_level, const char* message) {
  if (FakeHost::logged.size() < 1000) FakeHost::logged.emplace_back(message);
}
int32_t log_enabled(mm_log_level) { return 1; }

mm_error* metric_new(mm_host_model*, const mm_metric_args* args, mm_metric** out) {
  for (uint32_t i = 0; i < args->label_count; ++i)
    require(args->label_names[i] != nullptr && args->label_values[i] != nullptr, "labels have names and values");
  if (*args->name == '\0') return error_new(MM_INVALID_ARGUMENT, "a metric without a name");
  *out = reinterpret_cast<mm_metric*>(&FakeHost::logged);
  return nullptr;
}
void metric_update(mm_metric* metric, double) { require(metric != nullptr, "a metric is there"); }

void request_info(mm_request* request, mm_request_info* out) {
  const FakeRequest& asked = *of(request);
  out->id = "";
  out->deadline_ns = asked.deadline_ns;
  out->input_count = static_cast<uint32_t>(asked.inputs.size());
  out->requested_output_count = static_cast<uint32_t>(asked.wanted.size());
  out->rows = asked.rows;
}

/// A view of an array, whose chunk is kept until the next one of the same number.
mm_tensor view_of(const Array& array, mm_chunk& chunk) {
  chunk = {};
  chunk.struct_size = sizeof chunk;
  chunk.data = array.bytes.data();
  chunk.size = array.bytes.size();
  mm_tensor out{};
  out.struct_size = sizeof out;
  out.name = array.name.c_str();
  out.dtype = array.dtype;
  out.rank = static_cast<uint32_t>(array.shape.size());
  out.shape = array.shape.data();
  out.element_count = backend::element_count(array.shape);
  out.byte_size = array.bytes.size();
  out.chunks = &chunk;
  out.chunk_count = 1;
  out.offsets = array.dtype == MM_STRING ? array.offsets.data() : nullptr;
  return out;
}

mm_error* request_input(mm_request* request, uint32_t index, mm_tensor* out) {
  static std::map<const Array*, mm_chunk> chunks;
  const Array& array = of(request)->inputs.at(index);
  *out = view_of(array, chunks[&array]);
  return nullptr;
}
mm_error* request_parameter(mm_request*, uint32_t, mm_parameter*) {
  return error_new(MM_INVALID_ARGUMENT, "it has no parameters");
}
const char* request_requested_output(mm_request* request, uint32_t index) {
  return of(request)->wanted.at(index).c_str();
}
int32_t request_cancelled(mm_request* request) { return of(request)->cancelled; }

mm_error* response_new(mm_request* request, mm_response** out) {
  require(of(request)->finals == 0, "a request that has ended gets no response");
  const auto made = std::make_shared<FakeResponse>(FakeResponse{of(request), {}});
  of(request)->responses.push_back(made);
  *out = reinterpret_cast<mm_response*>(made.get());
  return nullptr;
}

Array& add_output(mm_response* response, const char* name, mm_dtype dtype, uint32_t rank, const int64_t* shape) {
  auto& outputs = of(response)->answer.outputs;
  outputs.push_back({name, dtype, {shape, shape + rank}, {}});
  for (const int64_t size : outputs.back().shape) require(size >= 0, "sizes are known");
  return outputs.back();
}

mm_error* output_allocate(mm_response* response, mm_output_args* args) {
  require(args->dtype != MM_STRING, "strings are not allocated");
  Array& output = add_output(response, args->name, args->dtype, args->rank, args->shape);
  const uint64_t size = backend::element_count(output.shape) * backend::element_size(args->dtype);
  require(size <= uint64_t{1} << 30, "an output is of a size that fits");
  output.bytes.reserve(64);  // few bytes would lie in the string itself, and move with it
  output.bytes.resize(size);
  args->data = output.bytes.data();
  return nullptr;
}

mm_error* output_adopt(mm_response* response, const mm_adopt_output_args* args) {
  Array& output = add_output(response, args->name, args->dtype, args->rank, args->shape);
  require(args->memory.size == backend::element_count(output.shape) * backend::element_size(args->dtype),
          "lent memory holds exactly the output");
  output.bytes.assign(static_cast<const char*>(args->memory.data), args->memory.size);
  of(response)->request->loans.push_back({args->release, args->release_context});
  return nullptr;
}

mm_error* output_strings(mm_response* response, const mm_string_output_args* args) {
  Array& output = add_output(response, args->name, MM_STRING, args->rank, args->shape);
  const uint64_t count = backend::element_count(output.shape);
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; ++i) {
    require(args->offsets[i] <= args->offsets[i + 1], "offsets ascend");
    total += args->offsets[i + 1] - args->offsets[i];
  }
  for (uint64_t i = 0; i <= count; ++i) output.offsets.push_back(args->offsets[i] - args->offsets[0]);
  output.bytes.assign(static_cast<const char*>(args->bytes) + args->offsets[0], total);
  return nullptr;
}

mm_error* response_parameter(mm_response* response, const mm_parameter* parameter) {
  of(response)->answer.parameters[parameter->name] = parameter->value.as_string;
  return nullptr;
}

void response_send(mm_response* handle, mm_error* error, uint32_t flags) {
  FakeResponse* const response = of(handle);
  FakeRequest& request = *response->request;
  require(request.finals == 0, "nothing follows the final response");
  if (error != nullptr) {
    response->answer = {of(error)->code, of(error)->message, {}, {}};
    delete of(error);
    require(response->answer.code != MM_OK, "an error has a code");
  }
  request.answers.push_back(std::move(response->answer));
  if ((flags & MM_RESPONSE_FINAL) != 0) ++request.finals;
}

void request_finish(mm_request* request) {
  require(of(request)->finals == 0, "nothing follows the end");
  ++of(request)->finals;
}

void execution_done(mm_execution* execution, const mm_execution_done_args*) {
  auto& asked = *reinterpret_cast<FakeExecution*>(execution);
  for (const auto& request : asked.requests) require(request->finals == 1, "each request ends once");
  require(++asked.done == 1, "an execution is done once");
}

mm_error* call_model(mm_host_model*, const mm_call_model_args* args) {
  FakeHost::Call call{args->model, args->deadline_ns, of(args->parent)};
  if (args->id != nullptr) call.id = args->id;
  for (uint32_t i = 0; i < args->requested_output_count; ++i) call.outputs.emplace_back(args->requested_outputs[i]);
  for (uint32_t i = 0; i < args->parameter_count; ++i)
    call.parameters.emplace(args->parameters[i].name, backend::value_of(args->parameters[i]));
  call.priority = args->priority;
  call.queue_timeout_ns = args->queue_timeout_ns;
  call.sequence = args->sequence_text != nullptr ? args->sequence_text : std::to_string(args->sequence_number);
  call.sequence_flags = args->sequence_flags;
  if (args->traceparent != nullptr) call.traceparent = args->traceparent;
  call.flags = args->flags;
  FakeHost::calls.push_back(call);
  std::vector<Array> arrays;
  for (uint32_t i = 0; i < args->input_count; ++i) {
    const mm_tensor& in = args->inputs[i];
    Array array{in.name, in.dtype, {in.shape, in.shape + in.rank}, {}};
    for (uint32_t k = 0; k < in.chunk_count; ++k)
      array.bytes.append(static_cast<const char*>(in.chunks[k].data), in.chunks[k].size);
    if (in.dtype == MM_STRING) array.offsets.assign(in.offsets, in.offsets + in.element_count + 1);
    require(in.dtype != MM_STRING || array.offsets.back() <= array.bytes.size(), "strings lie within their bytes");
    arrays.push_back(std::move(array));
  }
  if (std::string(args->model) == "nobody") return error_new(MM_NOT_FOUND, "there is no model 'nobody'");
  std::vector<mm_chunk> chunks(arrays.size());
  std::vector<mm_tensor> outputs;
  for (size_t i = 0; i < arrays.size(); ++i) outputs.push_back(view_of(arrays[i], chunks[i]));
  if (args->call != nullptr) *args->call = reinterpret_cast<mm_call*>(new int(0));
  mm_call_answer answer{};
  answer.struct_size = sizeof answer;
  answer.outputs = outputs.data();
  answer.output_count = static_cast<uint32_t>(outputs.size());
  answer.parameters = args->parameters;
  answer.parameter_count = args->parameter_count;
  answer.version = 1;
  answer.final = std::string(args->model) != "endless";
  if (answer.final == 0)
    FakeHost::endless = [context = args->context, give = args->on_answer] {
      mm_call_answer last{};
      last.struct_size = sizeof last;
      last.final = 1;
      give(context, &last);
    };
  args->on_answer(args->context, &answer);
  return nullptr;
}

void call_cancel(mm_call* call) {
  require(call != nullptr, "a call that is cancelled is there");
  ++FakeHost::cancelled;
}
void call_free(mm_call* call) { delete reinterpret_cast<int*>(call); }

mm_error* change_model(mm_host_model*, const mm_change_model_args* args) {
  std::string text = (args->action == MM_MODEL_LOAD     ? "load "
                      : args->action == MM_MODEL_UNLOAD ? "unload "
                                                        : "unload with members ") +
                     std::string(args->model);
  if (*args->config_json != '\0') text += " as " + std::string(args->config_json);
  for (uint32_t i = 0; i < args->file_count; ++i)
    text += " with " + std::string(args->files[i].path) + "=" +
            std::string(static_cast<const char*>(args->files[i].data), args->files[i].size);
  FakeHost::changes.push_back(text);
  if (std::string(args->model) == "nobody") return error_new(MM_UNAVAILABLE, "not allowed");
  args->on_changed(args->context,
                   std::string(args->model) == "bad" ? error_new(MM_NOT_FOUND, "there is no such model") : nullptr);
  return nullptr;
}
mm_error* model_ready(mm_host_model*, const char* model, int64_t version, int32_t* ready) {
  *ready = std::string(model) == "rows" && version == 2;
  return nullptr;
}

const mm_host& table() {
  static const mm_host made = [] {
    mm_host out{};
    out.struct_size = sizeof out;
    out.abi_major = MM_ABI_MAJOR;
    out.abi_minor = MM_ABI_MINOR;
    out.error_new = error_new;
    out.error_code = error_code;
    out.error_message = error_message;
    out.error_free = error_free;
    out.log = log;
    out.log_enabled = log_enabled;
    out.metric_new = metric_new;
    out.metric_update = metric_update;
    out.request_info = request_info;
    out.request_input = request_input;
    out.request_parameter = request_parameter;
    out.request_requested_output = request_requested_output;
    out.request_cancelled = request_cancelled;
    out.response_new = response_new;
    out.output_allocate = output_allocate;
    out.output_adopt = output_adopt;
    out.output_strings = output_strings;
    out.response_parameter = response_parameter;
    out.response_send = response_send;
    out.request_finish = request_finish;
    out.execution_done = execution_done;
    out.call_model = call_model;
    out.call_cancel = call_cancel;
    out.call_free = call_free;
    out.change_model = change_model;
    out.model_ready = model_ready;
    return out;
  }();
  return made;
}

}  // namespace

std::vector<std::string> FakeHost::logged;
std::vector<FakeHost::Call> FakeHost::calls;
std::vector<std::string> FakeHost::changes;
std::function<void()> FakeHost::endless;
int FakeHost::cancelled = 0;

void FakeHost::install() {
  backend::host = &table();
  logged.clear();
  calls.clear();
  changes.clear();
  endless = nullptr;
  cancelled = 0;
}

Array Array::of_strings(std::string name, const std::vector<std::string>& values) {
  Array out{std::move(name), MM_STRING, {static_cast<int64_t>(values.size())}, {}, {0}};
  for (const std::string& value : values) {
    out.bytes += value;
    out.offsets.push_back(out.bytes.size());
  }
  return out;
}

std::vector<std::string> Array::strings() const {
  std::vector<std::string> out;
  for (size_t i = 0; i + 1 < offsets.size(); ++i) out.push_back(bytes.substr(offsets[i], offsets[i + 1] - offsets[i]));
  return out;
}

void FakeRequest::give_back() {
  for (const Loan& loan : std::exchange(loans, {})) loan.release(loan.context);
}

FakeRequest& FakeExecution::add(std::vector<Array> inputs) {
  auto& request = *requests.emplace_back(std::make_unique<FakeRequest>());
  request.inputs = std::move(inputs);
  if (!request.inputs.empty() && !request.inputs[0].shape.empty())
    request.rows = static_cast<uint64_t>(request.inputs[0].shape[0]);
  return request;
}

backend::Execution FakeExecution::execution() {
  handles_.clear();
  for (const auto& request : requests) handles_.push_back(reinterpret_cast<mm_request*>(request.get()));
  mm_execute_args args{};
  args.struct_size = sizeof args;
  args.execution = reinterpret_cast<mm_execution*>(this);
  args.requests = handles_.data();
  args.request_count = static_cast<uint32_t>(handles_.size());
  return backend::Execution(args);
}

}  // namespace modelmill::python::testing
