#include <cstring>

#include "backend/handles.h"
#include "backend/host_table.h"
#include "backend/parameter_value.h"

namespace modelmill::host {
namespace {

/// What a backend is told of an answer: views of it, which live as long as both.
struct Views {
  std::vector<mm_tensor> tensors;
  std::vector<std::vector<mm_chunk>> chunks;
  std::vector<StringTensor> strings;
  std::vector<mm_parameter> parameters;

  Status build(const InferResponse& response);
};

/// Gives the answers of another model back to the backend that asked. Owns nothing of the backend's.
class CallSink final : public ResponseSink {
 public:
  CallSink(mm_call_result_fn on_result, mm_call_answer_fn on_answer, void* context)
      : on_result_(on_result), on_answer_(on_answer), context_(context) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (!has_response) return give(ok_status(), {}, 0, final);
    Views views;
    const Status status = response.status.ok() ? views.build(response) : response.status;
    give(status, status.ok() ? views : Views(), response.version, final);
  }

 private:
  void give(const Status& status, const Views& views, int64_t version, bool final) const {
    const auto count = static_cast<uint32_t>(views.tensors.size());
    const mm_tensor* const outputs = count > 0 ? views.tensors.data() : nullptr;
    if (on_answer_ == nullptr) return on_result_(context_, to_abi_error(status), outputs, count, final);
    mm_call_answer answer{};
    answer.struct_size = sizeof answer;
    answer.error = to_abi_error(status);
    answer.outputs = outputs;
    answer.output_count = count;
    answer.parameters = views.parameters.data();
    answer.parameter_count = static_cast<uint32_t>(views.parameters.size());
    answer.version = version;
    answer.final = final;
    on_answer_(context_, &answer);
  }

  const mm_call_result_fn on_result_;
  const mm_call_answer_fn on_answer_;
  void* const context_;
};

mm_chunk chunk_of(const Bytes& bytes) {
  mm_chunk chunk{};
  chunk.struct_size = sizeof chunk;
  chunk.data = bytes.data();
  chunk.size = bytes.size();
  return chunk;
}

Status Views::build(const InferResponse& response) {
  chunks.reserve(response.outputs.size());
  strings.reserve(response.outputs.size());
  for (const Tensor& output : response.outputs) {
    mm_tensor view{};
    view.struct_size = sizeof view;
    view.name = output.name.c_str();
    view.dtype = static_cast<mm_dtype>(output.dtype);
    view.rank = static_cast<uint32_t>(output.shape.size());
    view.shape = output.shape.data();
    view.element_count = static_cast<uint64_t>(element_count(dims(output.shape)).value_or(0));
    auto& pieces = chunks.emplace_back();
    if (output.dtype == DataType::kBytes) {
      MM_ASSIGN_OR_RETURN(StringTensor decoded, decode_strings(output));
      strings.push_back(std::move(decoded));
      pieces.push_back(chunk_of(strings.back().bytes));
      view.offsets = strings.back().offsets.data();
    } else {
      for (const Bytes& piece : output.data) pieces.push_back(chunk_of(piece));
    }
    for (const mm_chunk& piece : pieces) view.byte_size += piece.size;
    view.chunks = pieces.data();
    view.chunk_count = static_cast<uint32_t>(pieces.size());
    tensors.push_back(view);
  }
  for (const auto& [name, value] : response.parameters) {
    mm_parameter& out = parameters.emplace_back();
    out.struct_size = sizeof out;
    out.name = name.c_str();
    put_value(value, out);
  }
  return ok_status();
}

/// The bytes of a backend's tensor as one piece of our own.
Bytes copy_chunks(const mm_tensor& in) {
  uint64_t size = 0;
  for (uint32_t i = 0; i < in.chunk_count; ++i) size += in.chunks[i].size;
  MemoryRef memory = Memory::allocate(size);
  std::byte* to = memory->data();
  for (uint32_t i = 0; i < in.chunk_count; ++i) {
    if (in.chunks[i].size > 0) std::memcpy(to, in.chunks[i].data, in.chunks[i].size);
    to += in.chunks[i].size;
  }
  return Bytes(std::move(memory));
}

Result<Tensor> copy_tensor(const mm_tensor& in) {
  if (in.struct_size < sizeof(mm_tensor)) return invalid_argument("struct_size of an input is not set");
  if (in.name == nullptr || in.dtype <= MM_DTYPE_INVALID || in.dtype > MM_BF16 || in.rank > kMaxRank)
    return invalid_argument("an input lacks its name, or has an unknown type or too high a rank");
  for (uint32_t i = 0; i < in.chunk_count; ++i)
    if (in.chunks[i].kind == MM_MEMORY_GPU)
      return unavailable("input '" + std::string(in.name) + "' is in GPU memory, which this server can't read");
  Tensor out;
  out.name = in.name;
  out.dtype = static_cast<DataType>(in.dtype);
  out.shape.assign(in.shape, in.shape + in.rank);
  Bytes bytes = copy_chunks(in);
  if (out.dtype == DataType::kBytes) {
    const auto count = element_count(dims(out.shape));
    if (!count || in.offsets == nullptr)
      return invalid_argument("input '" + out.name + "' lacks offsets or has an impossible shape");
    const std::span<const uint64_t> offsets(in.offsets, static_cast<size_t>(*count) + 1);
    if (offsets.back() > bytes.size()) return invalid_argument("input '" + out.name + "': its offsets pass its bytes");
    MM_ASSIGN_OR_RETURN(bytes, encode_strings(offsets, bytes.data()));
  }
  out.data.push_back(std::move(bytes));
  MM_RETURN_IF_ERROR(check_tensor_bytes(out));
  return out;
}

constexpr const char* kOneAnswer =
    "the call takes one answer, and the model has the decoupled transaction policy: call it for any number of answers "
    "('decoupled=True' of Triton's Python backend)";

/// Members that 1.0 did not have are not looked at where the caller's struct ends before them: they are appended in
/// groups.
bool has_details(const mm_call_model_args& args) { return MM_HAS(&args, call); }

Status put_parameters(const mm_call_model_args& args, Parameters& out) {
  for (uint32_t i = 0; args.parameters != nullptr && i < args.parameter_count; ++i) {
    const mm_parameter& in = args.parameters[i];
    if (in.struct_size < sizeof in || in.name == nullptr || *in.name == '\0')
      return invalid_argument("a parameter lacks its struct_size or its name");
    MM_ASSIGN_OR_RETURN(ParameterValue value, value_of(in));
    out.set(in.name, std::move(value));
  }
  return ok_status();
}

/// The place in a trace that a call names, nullopt: none. It is its parent's own where it names that; where it names
/// none no spans of it are recorded.
TraceContext placed(const std::optional<TraceContext>& named, const TraceContext& parents) {
  if (named && named->trace_id == parents.trace_id && named->parent_id == parents.parent_id) return parents;
  TraceContext place = named.value_or(TraceContext());
  if (!named) place.recording = SpanRecording::kNo;
  return place;
}

/// What a call says beside its inputs, into `out`.
Status put_details(const mm_call_model_args& args, InferRequest& out) {
  if (args.id != nullptr) out.id = args.id;
  for (uint32_t i = 0; args.requested_outputs != nullptr && i < args.requested_output_count; ++i) {
    if (args.requested_outputs[i] == nullptr) return invalid_argument("a requested output lacks its name");
    out.outputs.push_back({args.requested_outputs[i], 0});
  }
  MM_RETURN_IF_ERROR(put_parameters(args, out.parameters));
  if (args.priority > 0) out.priority = args.priority;
  if (args.queue_timeout_ns < 0) return invalid_argument("its queue timeout is below 0");
  out.timeout = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::nanoseconds(args.queue_timeout_ns));
  if (args.sequence_number != 0) out.sequence.id = args.sequence_number;
  if (args.sequence_text != nullptr && *args.sequence_text != '\0') out.sequence.id = std::string(args.sequence_text);
  out.sequence.start = (args.sequence_flags & MM_SEQUENCE_START) != 0;
  out.sequence.end = (args.sequence_flags & MM_SEQUENCE_END) != 0;
  if (args.traceparent != nullptr) {
    const auto trace = parse_traceparent(args.traceparent);
    if (!trace && *args.traceparent != '\0')
      return invalid_argument("'" + std::string(args.traceparent) + "' is no traceparent of W3C's trace context");
    out.trace = placed(trace, out.trace);
  }
  if (args.call != nullptr) out.cancel = std::make_shared<CancelToken>(std::move(out.cancel));
  return ok_status();
}

void inherit(const mm_request& parent, InferRequest& out) {
  out.id = parent.id;
  out.deadline = parent.deadline;
  out.cancel = parent.cancel;
  out.priority = parent.priority;
  out.trace = parent.trace;
}

/// Answers nobody: of a request that is dropped before it is submitted.
class NoSink final : public ResponseSink {
 public:
  void on_response(InferResponse, bool, bool) override {}
};

Status start_call(mm_host_model* caller, const mm_call_model_args& args) {
  const bool detailed = has_details(args);
  if (!MM_HAS(&args, context) || args.model == nullptr ||
      (args.on_result == nullptr && (!detailed || args.on_answer == nullptr)))
    return invalid_argument("mm_call_model_args is too short, or lacks the model or where its answer goes");
  if (!caller->server.call_model) return unavailable("this server does not let backends call other models");
  auto request = std::make_unique<InferRequest>(std::make_shared<NoSink>());
  request->model = args.model;
  request->version = args.version;
  // Whoever calls runs on an instance that others may wait for, and holds what that takes: it must not wait itself.
  request->holds_resources = true;
  for (uint32_t i = 0; i < args.input_count; ++i) {
    MM_ASSIGN_OR_RETURN(Tensor input, copy_tensor(args.inputs[i]));
    request->inputs.push_back(std::move(input));
  }
  if (args.parent != nullptr)
    inherit(*args.parent, *request);
  else if (MM_HAS(&args, deadline_ns) && args.deadline_ns > 0)
    request->deadline = TimePoint(std::chrono::nanoseconds(args.deadline_ns));
  if (detailed) MM_RETURN_IF_ERROR(put_details(args, *request));
  std::unique_ptr<mm_call> handle;
  if (detailed && args.call != nullptr) handle = std::make_unique<mm_call>(mm_call{request->cancel});
  // With its sink the request answers, so nothing may fail any more.
  (void)request->replace_sink(
      std::make_shared<CallSink>(args.on_result, detailed ? args.on_answer : nullptr, args.context));
  if (handle) *args.call = handle.release();
  request->times.received = Clock::now();
  const bool one = detailed && (args.flags & MM_CALL_ONE_ANSWER) != 0;
  caller->server.call_model(std::move(request), one ? kOneAnswer : nullptr);
  return ok_status();
}

}  // namespace

mm_error* call_model(mm_host_model* caller, const mm_call_model_args* args) {
  return host_call([&]() -> Status {
    return start_call(caller, *args)
        .with_context(caller->label() + " calls model '" + (args->model != nullptr ? args->model : "") + "'");
  });
}

void call_cancel(mm_call* call) {
  if (call != nullptr) call->cancel->cancel(CancelToken::Reason::kClientGone);
}

void call_free(mm_call* call) { delete call; }

}  // namespace modelmill::host
