#include "serve/trace/tracer.h"

#include <optional>
#include <utility>
#include <vector>

#include "serve/trace/request_spans.h"
#include "serve/trace/trace_text.h"

namespace modelmill {
namespace {

/// Stands before a request's sink and writes its trace once the last answer is there.
class TracingSink final : public ResponseSink {
 public:
  TracingSink(std::shared_ptr<TraceSampler> sampler, uint64_t id, const ModelVersion& version,
              const InferRequest& request)
      : sampler_(std::move(sampler)),
        text_(id, version.name(), version.version(), request.id),
        start_(request.times.received == TimePoint{} ? Clock::now() : request.times.received) {
    if ((sampler_->level() & kTraceTensors) != 0) inputs_.assign(request.inputs.begin(), request.inputs.end());
  }

  void stand_before(std::shared_ptr<ResponseSink> sink) { next_ = std::move(sink); }

  void on_response(InferResponse response, bool final, bool has_response) override {
    if ((sampler_->level() & kTraceTensors) != 0) add_tensors(response);
    const RequestTimes times = response.times;
    next_->on_response(std::move(response), final, has_response);
    if (!final) return;
    if ((sampler_->level() & kTraceTimestamps) != 0) add_timestamps(times);
    sampler_->collect(text_.take());
  }

 private:
  void add_tensors(const InferResponse& response) {
    for (const Tensor& tensor : std::exchange(inputs_, {})) text_.tensor("TENSOR_QUEUE_INPUT", tensor);
    for (const Tensor& tensor : response.outputs) text_.tensor("TENSOR_BACKEND_OUTPUT", tensor);
  }

  void add_timestamps(const RequestTimes& times) {
    text_.timestamp("REQUEST_START", start_);
    text_.timestamp("QUEUE_START", times.queued);
    text_.timestamp("COMPUTE_START", times.compute_start, times.batch);
    text_.timestamp("COMPUTE_INPUT_END", times.input_end);
    text_.timestamp("COMPUTE_OUTPUT_START", times.infer_end);
    text_.timestamp("COMPUTE_END", times.compute_end);
    text_.timestamp("REQUEST_END", Clock::now());
  }

  const std::shared_ptr<TraceSampler> sampler_;
  TraceText text_;
  const TimePoint start_;
  std::vector<Tensor> inputs_;
  std::shared_ptr<ResponseSink> next_;
};

template <typename T>
void merge(const TraceChangeOf<T>& change, T& value, bool& specified, T above) {
  if (change.value()) value = *change.value();
  specified = !change.cleared() && (specified || change.value());
  if (!specified) value = above;
}

}  // namespace

Tracer::Tracer(const TraceSettings& settings, std::string file, SpanTarget spans)
    : first_(settings),
      file_(std::make_shared<TraceFile>(spans.exporter ? std::string() : std::move(file))),
      spans_(std::move(spans)) {
  const MutexLock lock(mutex_);
  global_.sampler = std::make_shared<TraceSampler>(first_, file_);
  look_whether_on();
}

TraceSettings Tracer::settings(std::string_view model) const {
  const MutexLock lock(mutex_);
  const auto found = models_.find(model);
  return (found != models_.end() ? found->second : global_).sampler->settings();
}

Result<Tracer::Entry> Tracer::changed(const Entry& entry, const TraceSettings& above, const TraceChange& change) const {
  Entry next{nullptr, entry.specified};
  TraceSettings settings = entry.sampler != nullptr ? entry.sampler->settings() : above;
  merge(change.level, settings.level, next.specified.level, above.level);
  merge(change.rate, settings.rate, next.specified.rate, above.rate);
  merge(change.count, settings.count, next.specified.count, above.count);
  merge(change.log_frequency, settings.log_frequency, next.specified.log_frequency, above.log_frequency);
  // Spans are recorded at a rate of 0, too: of requests whose callers trace them.
  if (settings.level != kTraceOff && !records_spans()) {
    const char* why = settings.rate == 0 ? "sample rate must be non-zero"
                      : file().empty()   ? "trace file name is not given; start the server with --trace-config "
                                           "triton,file=FILE"
                                         : nullptr;
    if (why != nullptr) return invalid_argument(std::string("Attempting to set invalid trace setting :") + why);
  }
  next.sampler = std::make_shared<TraceSampler>(settings, file_);
  return next;
}

Status Tracer::update(const std::string& model, const TraceChange& change) {
  std::vector<std::shared_ptr<TraceSampler>> gone;  // their end may write, which wants no lock
  const MutexLock lock(mutex_);
  const bool global = model.empty();
  const auto found = models_.find(model);
  const Entry before = global ? global_ : found != models_.end() ? found->second : Entry{};
  MM_ASSIGN_OR_RETURN(Entry next, changed(before, global ? first_ : global_.sampler->settings(), change));
  gone.push_back(before.sampler);
  if (!global) {
    if (next.specified.any())
      models_[model] = std::move(next);
    else if (found != models_.end())
      models_.erase(found);
    look_whether_on();
    return ok_status();
  }
  // Models that have some of it from here get the new.
  std::map<std::string, Entry, std::less<>> models;
  for (const auto& [name, entry] : models_) {
    if (entry.specified.all()) {
      models.emplace(name, entry);
      continue;
    }
    MM_ASSIGN_OR_RETURN(Entry model_next, changed(entry, next.sampler->settings(), TraceChange()));
    gone.push_back(entry.sampler);
    models.emplace(name, std::move(model_next));
  }
  global_ = std::move(next);
  models_ = std::move(models);
  look_whether_on();
  return ok_status();
}

void Tracer::look_whether_on() {
  bool on = global_.sampler->level() != kTraceOff;
  for (const auto& [name, entry] : models_) on = on || entry.sampler->level() != kTraceOff;
  on_.store(on, std::memory_order_relaxed);
}

std::shared_ptr<TraceSampler> Tracer::sampler_of(std::string_view model) const {
  const MutexLock lock(mutex_);
  const auto found = models_.find(model);
  return (found != models_.end() ? found->second : global_).sampler;
}

bool Tracer::is_recorded(TraceSampler& sampler, const TraceContext& caller, const TraceId& trace) const {
  using Caller = SpanSampling::Caller;
  const SpanSampling& sampling = spans_.sampling;
  if ((sampler.level() & kTraceTimestamps) == 0) return false;
  if (caller.present() && sampling.caller != Caller::kIgnored)
    return sampling.caller == Caller::kTraced || caller.sampled();
  return sampling.in_share(trace) && sampler.sample();
}

void Tracer::decide(std::string_view model, InferRequest& request, const RoutedRequestPtr& routed) {
  if (!records_spans() || request.trace.recording != SpanRecording::kUndecided) return;
  const TraceId trace = request.trace.present() ? request.trace.trace_id : make_trace_id();
  request.trace.recording = SpanRecording::kNo;
  if (is_recorded(*sampler_of(model), request.trace, trace)) record_request(spans_.exporter, trace, request, routed);
}

void Tracer::consider(const ModelVersion& version, InferRequest& request) {
  if (records_spans()) {
    if (request.trace.recorded()) record_model(spans_.exporter, version, request);
    return;
  }
  std::shared_ptr<TraceSampler> sampler = sampler_of(version.name());
  if (!sampler->sample()) return;
  auto sink = std::make_shared<TracingSink>(std::move(sampler), next_id_.fetch_add(1), version, request);
  sink->stand_before(request.replace_sink(sink));
}

void Tracer::stop() {
  on_.store(false, std::memory_order_relaxed);
  {
    const MutexLock lock(mutex_);
    global_ = {std::make_shared<TraceSampler>(TraceSettings{}, file_), {}};
    models_.clear();
  }
  file_->close();
  if (spans_.exporter) spans_.exporter->stop();
}

}  // namespace modelmill
