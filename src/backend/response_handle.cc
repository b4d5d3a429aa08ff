#include <algorithm>

#include "backend/handles.h"
#include "backend/host_table.h"
#include "backend/parameter_value.h"
#include "backend/plugin.h"
#include "base/log.h"

using modelmill::Result;
using modelmill::Shape;

void mm_response::clear() {
  answer.status = {};
  answer.outputs.clear();
  answer.parameters = {};
  broken = {};
}

mm_response* mm_request::new_response() {
  const auto take = [this](mm_response& response) {
    if (response.open.exchange(true, std::memory_order_acq_rel)) return false;
    response.request = this;
    return true;
  };
  if (take(first_)) return &first_;
  for (const auto& response : more_)
    if (take(*response)) return response.get();
  more_.push_back(std::make_unique<mm_response>());
  take(*more_.back());
  return more_.back().get();
}

namespace modelmill::host {
namespace {

const mm_host_model& model_of(const mm_response& response) { return *response.request->execution->model; }

/// No machine has as much memory; what asks for more is a mistake, not a shortage.
constexpr int64_t kMaxOutputBytes = int64_t{1} << 46;

/// What an output_* function was given, checked against the model.
struct CheckedOutput {
  std::string name;
  DataType dtype;
  Shape shape;
  int64_t elements;

  Tensor tensor(Bytes bytes) && {
    Tensor out;
    out.name = std::move(name);
    out.dtype = dtype;
    out.shape = std::move(shape);
    out.data.push_back(std::move(bytes));
    return out;
  }
};

Result<CheckedOutput> check_output(const mm_response& response, const char* name, DataType dtype, uint32_t rank,
                                   const int64_t* shape) {
  const mm_host_model& model = model_of(response);
  const Signature& signature = model.info.signature;
  CheckedOutput out{};
  out.name = name != nullptr ? name : "";
  const std::string& known = out.name;
  const TensorSpec* const spec = signature.open ? nullptr : signature.output(known);
  if (spec == nullptr && (!signature.open || known.empty())) return internal("the model has no output '" + known + "'");
  if (rank > kMaxRank) return internal("output '" + known + "' has rank " + std::to_string(rank) + "; the limit is 32");
  out.shape.assign(shape, shape + rank);
  const auto elements = element_count(dims(out.shape));
  if (!elements) return internal("output '" + known + "' has the impossible shape " + shape_text(dims(out.shape)));
  out.elements = *elements;
  out.dtype = dtype;
  if (spec != nullptr && dtype != spec->dtype)
    return internal("output '" + known + "' came with type " + std::string(dtype_name(dtype)) +
                    ", the model declares " + std::string(dtype_name(spec->dtype)));
  if (spec != nullptr && !model.output_shapes_unsure && !shape_matches(dims(spec->shape), dims(out.shape)))
    return internal("output '" + known + "' came with shape " + shape_text(dims(out.shape)) + ", the model declares " +
                    shape_text(dims(spec->shape)));
  for (const Tensor& other : response.answer.outputs)
    if (other.name == known) return internal("output '" + known + "' was given twice");
  return out;
}

Result<CheckedOutput> check_fixed_output(const mm_response& response, const char* name, mm_dtype dtype, uint32_t rank,
                                         const int64_t* shape, int64_t* bytes) {
  if (dtype <= MM_DTYPE_INVALID || dtype > MM_BF16 || dtype == MM_STRING)
    return internal("output '" + std::string(name != nullptr ? name : "") + "' came with a type (" +
                    std::to_string(dtype) + ") that this function does not take");
  const auto type = static_cast<DataType>(dtype);
  MM_ASSIGN_OR_RETURN(CheckedOutput out, check_output(response, name, type, rank, shape));
  if (__builtin_mul_overflow(out.elements, static_cast<int64_t>(dtype_size(type)), bytes) || *bytes > kMaxOutputBytes)
    return internal("output '" + out.name + "' with shape " + shape_text(dims(out.shape)) + " is too large");
  return out;
}

/// Runs the body of an output_* function; what goes wrong there breaks the response for good.
template <typename F>
mm_error* output_call(mm_response* response, F&& body) noexcept {
  return host_call([&]() -> Status {
    Status status;
    if (!response->open.load(std::memory_order_acquire) || !response->request->request) {
      status = failed_precondition("the response has been sent, or its request has ended");
    } else {
      try {
        status = body();
      } catch (const std::bad_alloc&) {
        status = resource_exhausted("out of memory for an output");
      }
    }
    if (status.ok()) return status;
    status = status.with_context(model_of(*response).label());
    if (response->broken.ok()) response->broken = status;
    return status;
  });
}

/// Leaves only the outputs that the client named. One that the model left out is missing in the answer, as with Triton.
/// Code that gives what it likes is handed the names, and sees to them itself.
void keep_requested(const mm_host_model& model, const InferRequest& request, InferResponse& answer) {
  if (request.outputs.empty() || model.info.signature.open) return;
  const auto wanted = [&](const Tensor& tensor) {
    return std::any_of(request.outputs.begin(), request.outputs.end(),
                       [&](const auto& o) { return o.name == tensor.name; });
  };
  auto& outputs = answer.outputs;
  for (size_t i = outputs.size(); i-- > 0;)
    if (!wanted(outputs[i])) outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(i));
}

InferResponse take_answer(mm_response& response, Status error, bool final) {
  const mm_host_model& model = model_of(response);
  InferResponse answer = std::move(response.answer);
  Status status = std::move(error);
  if (status.ok()) status = response.broken;
  if (status.ok() && !final && !model.info.decoupled)
    status = internal(model.label() + " sent a response that is not final although it is not decoupled");
  if (status.ok())
    keep_requested(model, *response.request->request, answer);
  else
    answer.outputs.clear();
  answer.status = std::move(status);
  answer.version = model.version;
  return answer;
}

void log_late(const mm_request& request, const char* what) {
  const mm_host_model& model = *request.execution->model;
  Log::error("backend answered a request that was over",
             {{"backend", model.backend}, {"model", model.model}, {"call", what}});
}

}  // namespace

mm_error* response_new(mm_request* request, mm_response** out) {
  return host_call([&]() -> Status {
    *out = nullptr;
    if (!request->request) return failed_precondition("the request has had its final response");
    *out = request->new_response();
    return ok_status();
  });
}

mm_error* output_allocate(mm_response* response, mm_output_args* args) {
  return output_call(response, [&]() -> Status {
    if (!MM_HAS(args, data)) return invalid_argument("mm_output_args is too short");
    int64_t bytes = 0;
    MM_ASSIGN_OR_RETURN(CheckedOutput checked,
                        check_fixed_output(*response, args->name, args->dtype, args->rank, args->shape, &bytes));
    MemoryRef memory = Memory::allocate(static_cast<size_t>(bytes));
    args->data = memory->data();
    args->kind = MM_MEMORY_CPU;
    args->device_id = 0;
    response->answer.outputs.push_back(std::move(checked).tensor(Bytes(std::move(memory))));
    return ok_status();
  });
}

mm_error* output_adopt(mm_response* response, const mm_adopt_output_args* args) {
  if (!MM_HAS(args, release_context)) return to_abi_error(invalid_argument("mm_adopt_output_args is too short"));
  // From here on whatever happens releases the memory: a Memory takes it over first.
  const auto nothing = [](void*) {};
  MemoryRef memory;
  mm_error* no_memory = host_call([&]() -> Status {
    memory = Memory::adopt(const_cast<void*>(args->memory.data), args->memory.size,
                           args->release != nullptr ? args->release : nothing, args->release_context);
    return ok_status();
  });
  if (no_memory != nullptr) {
    if (args->release != nullptr) args->release(args->release_context);
    return no_memory;
  }
  return output_call(response, [&]() -> Status {
    int64_t bytes = 0;
    MM_ASSIGN_OR_RETURN(CheckedOutput checked,
                        check_fixed_output(*response, args->name, args->dtype, args->rank, args->shape, &bytes));
    if (args->memory.kind != MM_MEMORY_CPU && args->memory.kind != MM_MEMORY_CPU_PINNED)
      return unavailable("output '" + checked.name +
                         "' came in GPU memory, which this server can't read: copy it to the CPU");
    if (static_cast<uint64_t>(bytes) != args->memory.size)
      return internal("output '" + checked.name + "' has type " + std::string(dtype_name(checked.dtype)) +
                      " and shape " + shape_text(dims(checked.shape)) + ", so " + std::to_string(bytes) +
                      " bytes were expected, but got " + std::to_string(args->memory.size));
    if (bytes > 0 && args->memory.data == nullptr) return internal("output '" + checked.name + "' came without data");
    response->answer.outputs.push_back(std::move(checked).tensor(Bytes(std::move(memory))));
    return ok_status();
  });
}

mm_error* output_strings(mm_response* response, const mm_string_output_args* args) {
  return output_call(response, [&]() -> Status {
    if (!MM_HAS(args, bytes)) return invalid_argument("mm_string_output_args is too short");
    MM_ASSIGN_OR_RETURN(CheckedOutput checked,
                        check_output(*response, args->name, DataType::kBytes, args->rank, args->shape));
    if (args->offsets == nullptr) return internal("output '" + checked.name + "' came without offsets");
    auto encoded = encode_strings({args->offsets, static_cast<size_t>(checked.elements) + 1}, args->bytes);
    if (!encoded.ok()) return encoded.status().with_context("output '" + checked.name + "'");
    response->answer.outputs.push_back(std::move(checked).tensor(std::move(encoded).value()));
    return ok_status();
  });
}

mm_error* output_forward(mm_response* response, const mm_forward_output_args* args) {
  return output_call(response, [&]() -> Status {
    if (!MM_HAS(args, shape)) return invalid_argument("mm_forward_output_args is too short");
    // The order of the inputs is settled by the first look at one.
    MM_ASSIGN_OR_RETURN(const mm_tensor view, response->request->input(args->input_index));
    const Tensor& input = response->request->request->inputs[args->input_index];
    MM_ASSIGN_OR_RETURN(CheckedOutput checked,
                        check_output(*response, args->name, input.dtype, args->rank, args->shape));
    if (static_cast<uint64_t>(checked.elements) != view.element_count)
      return internal("output '" + checked.name + "' with shape " + shape_text(dims(checked.shape)) +
                      " can't be forwarded from input '" + input.name + "' with shape " +
                      shape_text(dims(input.shape)));
    Tensor output = std::move(checked).tensor({});
    output.data = input.data;
    response->answer.outputs.push_back(std::move(output));
    return ok_status();
  });
}

mm_error* response_parameter(mm_response* response, const mm_parameter* parameter) {
  return output_call(response, [&]() -> Status {
    if (parameter->name == nullptr || *parameter->name == '\0') return internal("a response parameter has no name");
    MM_ASSIGN_OR_RETURN(ParameterValue value, value_of(*parameter));
    response->answer.parameters.set(parameter->name, std::move(value));
    return ok_status();
  });
}

void response_send(mm_response* response, mm_error* error, uint32_t flags) {
  Status status = error != nullptr ? Plugin::take_error(error) : ok_status();
  mm_request& request = *response->request;
  if (!response->open.load(std::memory_order_acquire) || !request.begin_send()) {
    log_late(request, "response_send");
    return response->abandon();
  }
  // A response that breaks the rule against several answers ends its request, so that it still completes once.
  const bool final = (flags & MM_RESPONSE_FINAL) != 0 || !request.execution->model->info.decoupled;
  InferResponse answer = take_answer(*response, std::move(status), (flags & MM_RESPONSE_FINAL) != 0);
  response->clear();
  response->open.store(false, std::memory_order_release);
  if (final) {
    request.request->complete(std::move(answer));
    request.end();
  } else {
    request.request->respond(std::move(answer));
    request.keep_open();
  }
}

void request_finish(mm_request* request) {
  if (!request->begin_send()) return log_late(*request, "request_finish");
  const mm_host_model& model = *request->execution->model;
  if (model.info.decoupled)
    request->request->finish();
  else
    request->request->fail(internal(model.label() + " ended a request without an answer although it is not decoupled"));
  request->end();
}

}  // namespace modelmill::host
