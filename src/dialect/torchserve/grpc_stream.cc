#include "dialect/torchserve/grpc_stream.h"

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dialect/large_work.h"
#include "dialect/route_facts.h"
#include "dialect/torchserve/grpc_messages.h"
#include "dialect/torchserve/infer_codec.h"
#include "dialect/torchserve/model_version.h"
#include "dialect/torchserve/sequence_fields.h"
#include "runtime/backlog.h"

namespace modelmill::torchserve {
namespace {

/// The client is not read while so much of this stream is unfinished; it is read again at half of it.
constexpr size_t kMaxInFlight = 256;
constexpr size_t kMaxHeldBytes = size_t{16} << 20;
/// A client that lets so many bytes of answers pile up without reading is let go.
constexpr size_t kMostUnsentBytes = size_t{1} << 30;
/// A handler that gives many answers faster than their client reads waits while there are more bytes of them.
constexpr size_t kMostUnread = size_t{4} << 20;
constexpr auto kLookAgain = std::chrono::milliseconds(10);

class PredictStream;

/// One request of a stream and the sink of its answers, which are encoded on the thread they come on. Owned by the
/// stream until it is done, and by the request in flight.
class StreamedRequest final : public ResponseSink, public std::enable_shared_from_this<StreamedRequest> {
 public:
  StreamedRequest(std::shared_ptr<PredictStream> stream, Bytes message)
      : stream_(std::move(stream)), message_(std::move(message)) {}

  /// What the message says. Before all else.
  Status read() { return read_predictions_request(message_, asked_); }
  /// The error that it is refused with at once; empty: none.
  std::string refusal();
  /// Sends it on its way. Loop thread.
  void start();
  void on_response(InferResponse response, bool final, bool has_response) override;
  /// Nobody waits for it any longer. Loop thread.
  void abandon();

  std::pair<std::string, std::string> sequence() const { return {asked_.model, asked_.sequence}; }
  size_t size() const { return message_.size(); }
  Chunks error(Code code, const std::string& message, const std::string& reason) const {
    return error_message(code, message, reason, asked_.sequence);
  }

 private:
  Result<VersionPin> pin();
  Status parse();
  void submit(const Status& parsed);
  void wait_for_model();
  Chunks failed(const InferResponse& response) const;
  const std::string& asked_model() const { return routed_ ? routed_->target().model : asked_.model; }

  const std::shared_ptr<PredictStream> stream_;
  const Bytes message_;
  PredictionsRequest asked_;
  SequenceMarks marks_;
  const TimePoint start_ = Clock::now();
  InferRequestPtr request_;  // until it is submitted
  VersionPin pin_;           // as well
  RoutedRequestPtr routed_;
  AnswerForm form_;
  std::atomic<int64_t> version_{0};  // that was pinned
  TorchMetrics::SeriesRef series_;   // from then on
  bool answered_ = false;            // answers come one after the other
};

/// The stream. Everything is the loop's but what says so.
class PredictStream final : public std::enable_shared_from_this<PredictStream> {
 public:
  PredictStream(Inference& inference, std::shared_ptr<wire::GrpcCall> call, Offload* offload,
                std::shared_ptr<TorchMetrics> metrics, std::shared_ptr<const SequenceNames> names)
      : inference_(inference),
        call_(std::move(call)),
        offload_(offload),
        metrics_(std::move(metrics)),
        names_(std::move(names)) {}

  void take(Bytes message);
  void half_close() {
    half_closed_ = true;
    finish_if_done();
  }
  void cancel(const Status& reason);

  /// A message of the request, and whether it is its last. Any thread.
  void send(const std::shared_ptr<StreamedRequest>& request, Chunks message, bool has_message, bool final);

  Inference& inference() { return inference_; }
  wire::GrpcCall& call() { return *call_; }
  Offload* offload() { return offload_; }
  TorchMetrics& metrics() { return *metrics_; }
  const SequenceNames& names() const { return *names_; }
  std::shared_ptr<CancelToken> cancel_token() { return {shared_from_this(), &cancel_}; }
  std::shared_ptr<Room> room() { return {shared_from_this(), &backlog_}; }
  bool ended() const { return ended_; }

 private:
  using Line = std::deque<std::shared_ptr<StreamedRequest>>;  // the first one runs

  void deliver(const StreamedRequest& request, Chunks message, bool has_message, bool final);
  void done(const StreamedRequest& request);
  void finish(const Status& status);
  void finish_if_done();
  void end();
  void balance(size_t came = 0);

  Inference& inference_;
  const std::shared_ptr<wire::GrpcCall> call_;
  Offload* const offload_;
  const std::shared_ptr<TorchMetrics> metrics_;
  const std::shared_ptr<const SequenceNames> names_;
  CancelToken cancel_;
  Backlog backlog_{kMostUnread};
  std::map<std::pair<std::string, std::string>, Line> sequences_;  // by model and id
  std::unique_ptr<wire::Loop::Timer> look_again_;
  size_t in_flight_ = 0;
  size_t held_bytes_ = 0;  // of their messages
  bool half_closed_ = false;
  bool ended_ = false;
  bool paused_ = false;
  bool gives_many_ = false;  // there was an answer that others follow
};

std::string StreamedRequest::refusal() {
  marks_ = sequence_marks(asked_.fields, stream_->names());
  if (asked_.sequence.empty() && !marks_.start) return "Parameter sequenceId is required.";
  if (asked_.sequence.empty()) asked_.sequence = new_sequence_id();
  return asked_.model.empty() ? kNoModelName : std::string();
}

Result<VersionPin> StreamedRequest::pin() {
  return pin_model(stream_->inference().catalog(), asked_.model, asked_.version, routed_);
}

void StreamedRequest::start() {
  request_ = std::make_unique<InferRequest>(shared_from_this());
  request_->times.received = Clock::now();
  request_->deadline = stream_->call().deadline();
  request_->trace = stream_->call().trace();
  request_->cancel = stream_->cancel_token();
  request_->room = stream_->room();
  if (asked_.version.empty()) routed_ = stream_->inference().route(asked_.model, facts_of(stream_->call()));
  Result<VersionPin> pinned = pin();
  if (!pinned.ok()) {
    if (stream_->inference().loads_on_demand(asked_model())) return wait_for_model();
    return submit(pinned.status());
  }
  pin_ = *std::move(pinned);
  if (stream_->offload() == nullptr || message_.size() <= kLoopBytes) return submit(parse());
  const Status status = run_large(*stream_->offload(), [self = shared_from_this()] {
    self->stream_->call().loop().post(
        [self, parsed = within_memory([&] { return self->parse(); })] { self->submit(parsed); });
  });
  if (!status.ok()) submit(status);
}

void StreamedRequest::wait_for_model() {
  stream_->inference().wait_for_model({asked_model(), request_->deadline, request_->cancel, message_.size(),
                                       [self = shared_from_this()](const Status& status) {
                                         self->stream_->call().loop().post([self, status] {
                                           auto pinned = status.ok() ? self->pin() : Result<VersionPin>(status);
                                           if (!pinned.ok()) return self->submit(pinned.status());
                                           self->pin_ = *std::move(pinned);
                                           self->submit(self->parse());
                                         });
                                       }});
}

/// Fills the request for the version that is pinned. Any thread.
Status StreamedRequest::parse() {
  request_->version = pin_->version();
  request_->model = asked_.model;
  request_->sequence = {asked_.sequence, marks_.start, marks_.end};
  version_ = request_->version;
  series_ = stream_->metrics().asked(asked_.model, asked_.version);
  Question question;
  question.fields = takes_bodies(*pin_) ? asked_.fields : without_marks(asked_.fields, stream_->names());
  question.headers = sequence_headers(asked_.sequence, marks_, stream_->names());
  return read_question(question, *pin_, *request_, form_);
}

void StreamedRequest::submit(const Status& parsed) {
  InferRequestPtr request = std::move(request_);
  if (!parsed.ok()) return request->fail(parsed);
  stream_->inference().submit(std::move(pin_), std::move(request), nullptr, routed_);
}

void StreamedRequest::abandon() {
  if (version_ != 0) stream_->inference().cancelled(routed_, asked_.model, version_);
}

Chunks StreamedRequest::failed(const InferResponse& response) const {
  const Failure failure = grpc_inference_failure(failure_in(response, form_).value_or(failure_of(response.status)));
  return error(grpc_code_of(failure.status), failure.message, exception_class(failure));
}

void StreamedRequest::on_response(InferResponse response, bool final, bool has_response) {
  if (!has_response && !answered_ && response.status.ok())
    response.status = internal("the model ended without an answer");
  const bool tells = has_response || !response.status.ok();
  answered_ = answered_ || tells;
  if (final && response.status.ok() && series_)
    stream_->metrics().answered(*series_, response.times, Clock::now() - start_);
  Chunks message;
  if (tells && failure_in(response, form_)) {
    message = failed(response);
  } else if (tells) {
    Result<Answer> answer = write_answer(response, form_);
    if (answer.ok()) {
      message = response_message(std::move(answer->body), asked_.sequence);
    } else {
      response.status = answer.status();
      message = failed(response);
    }
  }
  stream_->send(shared_from_this(), std::move(message), tells, final);
}

void PredictStream::take(Bytes message) {
  if (ended_) return;
  auto request = std::make_shared<StreamedRequest>(shared_from_this(), std::move(message));
  if (const Status status = request->read(); !status.ok()) return finish(status);
  if (const std::string refusal = request->refusal(); !refusal.empty()) {
    call_->send(request->error(Code::kInternal, refusal, "BadRequestException.()"));
    return balance();
  }
  ++in_flight_;
  held_bytes_ += request->size();
  Line& line = sequences_[request->sequence()];
  line.push_back(request);
  if (line.size() == 1) request->start();
  balance();
}

void PredictStream::send(const std::shared_ptr<StreamedRequest>& request, Chunks message, bool has_message,
                         bool final) {
  size_t size = 0;
  for (const Bytes& piece : message) size += piece.size();
  if (!final) backlog_.add(size);
  // Always by the loop's queue: an answer must not overtake one before it, nor requests nest in each other's ends.
  call_->loop().post([self = shared_from_this(), request, message = std::move(message), has_message, final]() mutable {
    self->deliver(*request, std::move(message), has_message, final);
  });
}

void PredictStream::deliver(const StreamedRequest& request, Chunks message, bool has_message, bool final) {
  if (ended_) return;
  size_t came = 0;
  if (!final)
    for (const Bytes& piece : message) came += piece.size();
  gives_many_ = gives_many_ || !final;
  if (call_->unsent_bytes() > kMostUnsentBytes)
    return finish(resource_exhausted("the client does not read its answers: more than " +
                                     std::to_string(kMostUnsentBytes) +
                                     " bytes of them are waiting; read the stream while sending"));
  if (has_message) call_->send(std::move(message));
  if (final) done(request);
  balance(came);
}

void PredictStream::done(const StreamedRequest& request) {
  --in_flight_;
  held_bytes_ -= request.size();
  const auto line = sequences_.find(request.sequence());
  line->second.pop_front();
  if (line->second.empty()) {
    sequences_.erase(line);
    finish_if_done();
  } else {
    line->second.front()->start();
  }
}

void PredictStream::finish_if_done() {
  if (half_closed_ && in_flight_ == 0 && !ended_) finish(ok_status());
}

void PredictStream::finish(const Status& status) {
  end();
  call_->finish(status);
}

void PredictStream::cancel(const Status& reason) {
  cancel_.cancel(reason.code() == Code::kDeadlineExceeded ? CancelToken::Reason::kDeadline
                                                          : CancelToken::Reason::kClientGone);
  end();
}

/// Nobody hears any more: what runs is dropped, and what waits for its turn does not begin.
void PredictStream::end() {
  ended_ = true;
  look_again_.reset();
  backlog_.close();
  cancel_.cancel(CancelToken::Reason::kClientGone);
  for (const auto& [name, line] : std::exchange(sequences_, {})) line.front()->abandon();
}

void PredictStream::balance(size_t came) {
  if (ended_) return;
  const size_t unsent = call_->unsent_bytes();
  if (gives_many_) backlog_.settle(came, unsent);
  const size_t share = paused_ ? 2 : 1;
  const bool pause = in_flight_ >= kMaxInFlight / share || unsent + held_bytes_ >= kMaxHeldBytes / share;
  if (pause != paused_) {
    paused_ = pause;
    call_->pause_reading(pause);
  }
  // Bytes leave without our being told, so a stream that waits for that looks again by itself.
  if (!(paused_ && unsent > 0) && !(gives_many_ && backlog_.needs_settling(unsent))) {
    look_again_.reset();
  } else {
    look_again_ = call_->loop().run_at(Clock::now() + kLookAgain, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      const auto fired = std::move(self->look_again_);  // outlives this call
      self->balance();
    });
  }
}

/// The wire's side of a stream.
class StreamHandler final : public wire::WholeMessageHandler {
 public:
  explicit StreamHandler(std::shared_ptr<PredictStream> stream) : stream_(std::move(stream)) {}
  void on_message(Bytes message) override { stream_->take(std::move(message)); }
  void on_half_close() override { stream_->half_close(); }
  void on_cancel(const Status& reason) override { stream_->cancel(reason); }

 private:
  const std::shared_ptr<PredictStream> stream_;
};

}  // namespace

wire::GrpcMethodFactory predictions_stream_method(Inference& inference, Offload* offload,
                                                  std::shared_ptr<TorchMetrics> metrics, SequenceNames names) {
  return [&inference, offload, metrics = std::move(metrics),
          names = std::make_shared<const SequenceNames>(std::move(names))](
             std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
    return std::make_unique<StreamHandler>(
        std::make_shared<PredictStream>(inference, std::move(call), offload, metrics, names));
  };
}

}  // namespace modelmill::torchserve
