#include <algorithm>
#include <cstring>

#include "backend/handles.h"
#include "backend/host_table.h"
#include "backend/parameter_value.h"
#include "base/log.h"

using modelmill::Bytes;
using modelmill::DataType;
using modelmill::InferRequest;
using modelmill::Result;
using modelmill::Tensor;

namespace {

mm_chunk cpu_chunk(const Bytes& bytes) {
  mm_chunk chunk{};
  chunk.struct_size = sizeof chunk;
  chunk.data = bytes.data();
  chunk.size = bytes.size();
  chunk.kind = MM_MEMORY_CPU;
  return chunk;
}

/// The inputs in the model's order; any that the model does not know come last.
void sort_inputs(InferRequest& request, const modelmill::Signature& signature) {
  if (signature.open) return;
  size_t next = 0;
  for (const modelmill::TensorSpec& spec : signature.inputs) {
    for (size_t i = next; i < request.inputs.size(); ++i) {
      if (request.inputs[i].name != spec.name) continue;
      if (i != next) std::swap(request.inputs[i], request.inputs[next]);
      ++next;
      break;
    }
  }
}

/// Gathers an input whose chunks cut an element in two.
void keep_elements_whole(Tensor& tensor) {
  const size_t element = modelmill::dtype_size(tensor.dtype);
  if (tensor.data.size() < 2 || element < 2) return;
  const bool whole = std::all_of(tensor.data.begin(), tensor.data.end(),
                                 [&](const Bytes& chunk) { return chunk.size() % element == 0; });
  if (whole) return;
  Bytes gathered = tensor.contiguous();
  tensor.data.clear();
  tensor.data.push_back(std::move(gathered));
}

}  // namespace

void mm_request::prepare_inputs() {
  sort_inputs(*request, execution->model->info.signature);
  size_t count = 0;
  for (Tensor& tensor : request->inputs) {
    keep_elements_whole(tensor);
    count += tensor.data.size();
  }
  chunks_.reserve(count);  // so that pointers into it hold
  for (const Tensor& tensor : request->inputs)
    for (const Bytes& chunk : tensor.data) chunks_.push_back(cpu_chunk(chunk));
  prepared_ = true;
}

Result<const mm_request::Strings*> mm_request::strings(uint32_t index) {
  for (const auto& known : strings_)
    if (known->input == index) return known.get();
  MM_ASSIGN_OR_RETURN(modelmill::StringTensor value, modelmill::decode_strings(request->inputs[index]));
  auto made = std::make_unique<Strings>(Strings{index, std::move(value), {}});
  made->chunk = cpu_chunk(made->value.bytes);
  strings_.push_back(std::move(made));
  return strings_.back().get();
}

Result<mm_tensor> mm_request::input(uint32_t index) {
  if (!request) return modelmill::failed_precondition("the request has had its final response");
  if (!prepared_) prepare_inputs();
  if (index >= request->inputs.size())
    return modelmill::invalid_argument("the request has " + std::to_string(request->inputs.size()) +
                                       " inputs, there is none at index " + std::to_string(index));
  const Tensor& tensor = request->inputs[index];
  mm_tensor out{};
  out.struct_size = sizeof out;
  out.name = tensor.name.c_str();
  out.dtype = static_cast<mm_dtype>(tensor.dtype);
  out.rank = static_cast<uint32_t>(tensor.shape.size());
  out.shape = tensor.shape.data();
  out.element_count = static_cast<uint64_t>(modelmill::element_count(modelmill::dims(tensor.shape)).value_or(0));
  if (tensor.dtype == DataType::kBytes) {
    MM_ASSIGN_OR_RETURN(const Strings* view, strings(index));
    out.chunks = &view->chunk;
    out.chunk_count = 1;
    out.offsets = view->value.offsets.data();
    out.byte_size = view->value.bytes.size();
    return out;
  }
  size_t first = 0;
  for (uint32_t i = 0; i < index; ++i) first += request->inputs[i].data.size();
  out.chunks = chunks_.data() + first;
  out.chunk_count = static_cast<uint32_t>(tensor.data.size());
  out.byte_size = tensor.byte_size();
  return out;
}

namespace modelmill::host {

void request_info(mm_request* request, mm_request_info* out) {
  if (out == nullptr || !MM_HAS(out, sequence_flags)) return;
  mm_request_info info{};
  info.struct_size = out->struct_size;
  info.id = "";
  info.deadline_ns = INT64_MAX;
  info.rows = 1;
  if (const InferRequest* r = request->request.get()) {
    info.id = r->id.c_str();
    info.deadline_ns = to_ns(r->deadline);
    info.priority = r->priority;
    info.input_count = static_cast<uint32_t>(r->inputs.size());
    info.parameter_count = static_cast<uint32_t>(r->parameters.end() - r->parameters.begin());
    info.requested_output_count = static_cast<uint32_t>(r->outputs.size());
    info.rows = static_cast<uint64_t>(std::max<int64_t>(r->batch_rows, 0));
    if (const auto* number = std::get_if<uint64_t>(&r->sequence.id)) info.sequence_number = *number;
    if (const auto* text = std::get_if<std::string>(&r->sequence.id); text != nullptr && !text->empty())
      info.sequence_text = text->c_str();
    info.sequence_flags = (r->sequence.start ? MM_SEQUENCE_START : 0) | (r->sequence.end ? MM_SEQUENCE_END : 0);
    if (r->trace.present()) info.traceparent = request->traceparent.c_str();
    info.queue_timeout_ns = std::chrono::nanoseconds(r->timeout).count();
  }
  std::memcpy(out, &info, std::min(out->struct_size, sizeof info));
}

mm_error* request_input(mm_request* request, uint32_t index, mm_tensor* out) {
  return host_call([&]() -> Status {
    if (out->struct_size < sizeof(mm_tensor)) return invalid_argument("set struct_size of the mm_tensor first");
    MM_ASSIGN_OR_RETURN(*out, request->input(index));
    return ok_status();
  });
}

mm_error* request_parameter(mm_request* request, uint32_t index, mm_parameter* out) {
  return host_call([&]() -> Status {
    if (out->struct_size < sizeof(mm_parameter)) return invalid_argument("set struct_size of the mm_parameter first");
    if (!request->request) return failed_precondition("the request has had its final response");
    const Parameters& parameters = request->request->parameters;
    if (index >= static_cast<size_t>(parameters.end() - parameters.begin()))
      return invalid_argument("the request has no parameter at index " + std::to_string(index));
    const auto& [name, value] = *(parameters.begin() + index);
    out->name = name.c_str();
    put_value(value, *out);
    return ok_status();
  });
}

const char* request_requested_output(mm_request* request, uint32_t index) {
  if (!request->request || index >= request->request->outputs.size()) return nullptr;
  return request->request->outputs[index].name.c_str();
}

int32_t request_cancelled(mm_request* request) {
  if (request->phase.load(std::memory_order_acquire) == mm_request::Phase::kEnded) return 1;
  if (request->cancel && request->cancel->cancelled()) return 1;
  return request->deadline != kNever && Clock::now() >= request->deadline ? 1 : 0;
}

void request_trace(mm_request* request, const char* span, int64_t start_ns, int64_t end_ns) {
  if (!Log::enabled(LogLevel::kDebug) || !request->request) return;
  Log::debug("backend span", {{"model", request->execution->model->model},
                              {"request", request->request->id},
                              {"span", span != nullptr ? span : ""},
                              {"start_ns", start_ns},
                              {"duration_ns", end_ns - start_ns}});
}

mm_error* state_read(mm_request* request, const char* name, mm_tensor*) {
  return to_abi_error(failed_precondition("model '" + request->execution->model->model +
                                          "' has no sequence batching, so it has no state '" +
                                          (name != nullptr ? name : "") + "' to read"));
}

mm_error* state_write(mm_request* request, const mm_tensor* value) {
  return to_abi_error(failed_precondition(
      "model '" + request->execution->model->model + "' has no sequence batching, so it has no state '" +
      (value != nullptr && value->name != nullptr ? value->name : "") + "' to write"));
}

}  // namespace modelmill::host
