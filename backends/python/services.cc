#include "services.h"

#include <vector>

#include "json_text.h"

namespace modelmill::python {
namespace {

constexpr size_t kMostMetrics = 1000;
constexpr uint64_t kTensorAlign = 64;

uint64_t shared_size(const mm_tensor& tensor) {
  return tensor.dtype == MM_STRING
             ? (tensor.element_count + 1) * sizeof(uint64_t) + tensor.offsets[tensor.element_count]
             : tensor.byte_size;
}

void copy_to(const mm_tensor& tensor, std::byte* to) {
  if (tensor.dtype == MM_STRING) {
    const size_t table = (tensor.element_count + 1) * sizeof(uint64_t);
    std::memcpy(to, tensor.offsets, table);
    to += table;
  }
  for (uint32_t i = 0; i < tensor.chunk_count; ++i) {
    if (tensor.chunks[i].size > 0) std::memcpy(to, tensor.chunks[i].data, tensor.chunks[i].size);
    to += tensor.chunks[i].size;
  }
}

/// A tensor of a worker's as the host takes it. Points to `tensor`, `name` and `chunk`.
mm_tensor view_of(const SharedTensor& tensor, const std::string& name, mm_chunk& chunk) {
  chunk = {};
  chunk.struct_size = sizeof chunk;
  chunk.data = tensor.data;
  chunk.size = tensor.dtype == MM_STRING ? tensor.offsets.back() : tensor.size;
  mm_tensor out{};
  out.struct_size = sizeof out;
  out.name = name.c_str();
  out.dtype = tensor.dtype;
  out.rank = static_cast<uint32_t>(tensor.shape.size());
  out.shape = tensor.shape.data();
  out.element_count = backend::element_count(tensor.shape);
  out.byte_size = chunk.size;
  out.chunks = &chunk;
  out.chunk_count = 1;
  out.offsets = tensor.dtype == MM_STRING ? tensor.offsets.data() : nullptr;
  return out;
}

}  // namespace

/// A call under way. Deleted with its last answer.
struct Services::Pending {
  std::shared_ptr<Services> services;
  uint64_t call;
};

bool Services::take(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kCall: call(frame.id, FrameReader(frame.body)); return true;
    case FrameType::kCallCancel: cancel(frame.id); return true;
    case FrameType::kModels: models(frame.id, FrameReader(frame.body)); return true;
    case FrameType::kMetricNew: new_metric(frame.id, FrameReader(frame.body)); return true;
    case FrameType::kMetricUpdate: update_metrics(FrameReader(frame.body)); return true;
    case FrameType::kLog: log(FrameReader(frame.body)); return true;
    case FrameType::kFree: {
      const std::lock_guard lock(mutex_);
      kept_.erase(frame.id);
      return true;
    }
    default: return false;
  }
}

/// Tensors of a worker's that follow one another, each with its name.
Services::Named Services::read_named(FrameReader& body, uint16_t count) const {
  const AnswerMemory memory{[this](uint32_t region) { return control_->region(region); }, nullptr, nullptr, 0};
  Named out;
  for (uint16_t i = 0; i < count; ++i) {
    out.tensors.push_back(read_tensor(body, memory));
    out.names.emplace_back(body.text(body.get<uint16_t>()));
  }
  return out;
}

/// What lay in it was copied.
void Services::let_go(uint32_t block_region, uint64_t block_offset) const {
  if (block_region == kNoRegion) return;
  const auto region = control_->region(block_region);
  if (!region) throw ProtocolError("a block in memory that there is not");
  region->block_word(block_offset).store(0, std::memory_order_release);
}

void Services::call(uint64_t id, FrameReader body) {
  const auto record = body.get<CallRecord>();
  const std::string model(body.text(record.model_size));
  const std::string_view about = body.text(record.about_size);
  const Named named = read_named(body, record.tensors);
  try {
    make_call(id, record, model, CallDetails(about), named);
  } catch (const ProtocolError&) {
    throw;
  } catch (const backend::Error& e) {
    send_error(id, e.code(), e.what(), true);
  }
  let_go(record.block_region, record.block_offset);
}

void Services::make_call(uint64_t id, const CallRecord& record, const std::string& model, const CallDetails& details,
                         const Named& named) {
  std::vector<mm_chunk> chunks(named.tensors.size());
  std::vector<mm_tensor> inputs;
  for (size_t i = 0; i < chunks.size(); ++i) inputs.push_back(view_of(named.tensors[i], named.names[i], chunks[i]));
  auto pending = std::make_unique<Pending>(Pending{shared_from_this(), id});
  mm_call_model_args args{};
  args.struct_size = sizeof args;
  args.model = model.c_str();
  args.version = record.version;
  args.inputs = inputs.data();
  args.input_count = static_cast<uint32_t>(inputs.size());
  args.on_answer = &Services::on_answer;
  args.context = pending.get();
  const Caller caller = caller_of_(record.execution);
  args.parent = caller.request;
  if (caller.deadline_ns != INT64_MAX) args.deadline_ns = caller.deadline_ns;
  details.put_into(args);
  mm_call* handle = nullptr;
  if (details.may_cancel()) {
    args.call = &handle;
    const std::lock_guard lock(mutex_);
    cancellable_.emplace(id, nullptr);
  }
  if (mm_error* error = backend::host->call_model(model_, &args); error != nullptr) {
    mm_call_answer answer{};
    answer.struct_size = sizeof answer;
    answer.error = error;
    answer.final = 1;
    return on_answer(pending.release(), &answer);
  }
  (void)pending.release();
  if (handle == nullptr) return;
  const std::lock_guard lock(mutex_);
  if (const auto it = cancellable_.find(id); it != cancellable_.end())
    it->second = handle;
  else
    backend::host->call_free(handle);  // it has had its last answer
}

void Services::cancel(uint64_t call) {
  const std::lock_guard lock(mutex_);
  if (const auto it = cancellable_.find(call); it != cancellable_.end()) backend::host->call_cancel(it->second);
}

void Services::on_answer(void* context, const mm_call_answer* given) {
  std::unique_ptr<Pending> pending(static_cast<Pending*>(context));
  Services& self = *pending->services;
  if (given->final != 0) {
    const std::lock_guard lock(self.mutex_);
    if (const auto it = self.cancellable_.find(pending->call); it != self.cancellable_.end()) {
      if (it->second != nullptr) backend::host->call_free(it->second);
      self.cancellable_.erase(it);
    }
  }
  try {
    self.answer(pending->call, *given);
  } catch (const backend::Error& e) {
    self.send_error(pending->call, e.code(), e.what(), given->final != 0);
  }
  if (given->final == 0) (void)pending.release();  // there is more to come
}

void Services::send_error(uint64_t call, mm_code code, const std::string& message, bool final) {
  FrameWriter writer(FrameType::kCallResult, call);
  writer.put(CallResultRecord{0, static_cast<uint8_t>(AnswerKind::kError), final, static_cast<uint16_t>(code),
                              static_cast<uint32_t>(message.size())});
  writer.text(message);
  control_->send(writer.take());
}

void Services::answer(uint64_t call, const mm_call_answer& given) {
  mm_error* const error = given.error;
  const mm_tensor* const outputs = given.outputs;
  const uint32_t count = given.output_count;
  const bool final = given.final != 0;
  if (error != nullptr) {
    const mm_code code = backend::host->error_code(error);
    const std::string message = backend::host->error_message(error);
    backend::host->error_free(error);
    return send_error(call, code, message, final);
  }
  FrameWriter writer(FrameType::kCallResult, call);
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; ++i)
    total += (shared_size(outputs[i]) + kTensorAlign - 1) / kTensorAlign * kTensorAlign;
  std::shared_ptr<Arena::Block> block;
  uint64_t kept = 0;
  if (count > 0) {
    block = control_->arena().allocate(total);
    const std::lock_guard lock(mutex_);
    kept = next_kept_++;
    kept_.emplace(kept, block);
  }
  // An answer names the version that gave it; without one it is the bare end.
  const auto kind = given.version != 0 || count > 0 || !final ? AnswerKind::kOutputs : AnswerKind::kEnd;
  std::string parameters;
  for (uint32_t i = 0; i < given.parameter_count; ++i)
    parameters += (i > 0 ? "," : "{") + json_quoted(given.parameters[i].name) + ":" +
                  json_text(backend::value_of(given.parameters[i]));
  if (!parameters.empty()) parameters += "}";
  writer.put(CallResultRecord{kept, static_cast<uint8_t>(kind), final, static_cast<uint16_t>(count),
                              static_cast<uint32_t>(parameters.size())});
  uint64_t offset = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const mm_tensor& tensor = outputs[i];
    copy_to(tensor, block->data() + offset);
    writer.put(TensorRecord{static_cast<uint16_t>(i), static_cast<uint8_t>(tensor.dtype),
                            static_cast<uint8_t>(tensor.rank), block->region(), block->offset() + offset,
                            shared_size(tensor)});
    for (uint32_t k = 0; k < tensor.rank; ++k) writer.put(tensor.shape[k]);
    const std::string_view name = tensor.name;
    writer.put(static_cast<uint16_t>(name.size()));
    writer.text(name);
    offset += (shared_size(tensor) + kTensorAlign - 1) / kTensorAlign * kTensorAlign;
  }
  writer.text(parameters);
  control_->send(writer.take());
}

void Services::new_metric(uint64_t id, FrameReader body) {
  const auto json = backend::Json::parse(body.rest());
  if (metrics_.size() >= kMostMetrics || metrics_.contains(id)) throw ProtocolError("too many metrics");
  std::vector<const char*> names, values;
  std::vector<double> buckets;
  for (const auto& [name, value] : json["labels"].members()) names.push_back(name.c_str());
  std::vector<std::string> texts;
  for (const auto& [name, value] : json["labels"].members()) texts.push_back(value.text());
  for (const std::string& text : texts) values.push_back(text.c_str());
  for (const backend::Json& bound : json["buckets"].items())
    buckets.push_back(std::strtod(bound.text().c_str(), nullptr));
  const std::string name = json["name"].text(), help = json["help"].text(), kind = json["kind"].text();
  mm_metric_args args{};
  args.struct_size = sizeof args;
  args.kind = kind == "counter" ? MM_METRIC_COUNTER : kind == "gauge" ? MM_METRIC_GAUGE : MM_METRIC_HISTOGRAM;
  args.name = name.c_str();
  args.help = help.c_str();
  args.label_count = static_cast<uint32_t>(names.size());
  args.label_names = names.data();
  args.label_values = values.data();
  args.bucket_count = static_cast<uint32_t>(buckets.size());
  args.buckets = buckets.data();
  mm_metric* metric = nullptr;
  if (mm_error* error = backend::host->metric_new(model_, &args, &metric); error != nullptr) {
    backend::log(model_, MM_LOG_ERROR, std::string("a metric is left out: ") + backend::host->error_message(error));
    backend::host->error_free(error);
    metric = nullptr;
  }
  metrics_.emplace(id, metric);
}

void Services::update_metrics(FrameReader body) {
  while (body.left() > 0) {
    const auto id = body.get<uint64_t>();
    const auto value = body.get<double>();
    const auto it = metrics_.find(id);
    if (it == metrics_.end()) throw ProtocolError("a metric that there is not");
    if (it->second != nullptr) backend::host->metric_update(it->second, value);
  }
}

void Services::log(FrameReader body) const {
  const auto number = body.get<uint8_t>();
  const auto level = number <= MM_LOG_ERROR ? static_cast<mm_log_level>(number) : MM_LOG_ERROR;
  std::string_view text = body.rest();
  while (!text.empty()) {  // a line of the log each, so that tracebacks can be read
    const size_t end = std::min(text.find('\n'), text.size());
    backend::log(model_, level, std::string(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace modelmill::python
