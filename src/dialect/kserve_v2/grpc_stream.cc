#include "dialect/kserve_v2/grpc_stream.h"

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dialect/call_handler.h"
#include "dialect/header_forwarding.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/kserve_v2/infer_response_codec.h"
#include "dialect/kserve_v2/infer_scanner.h"
#include "dialect/kserve_v2/open_call.h"
#include "dialect/kserve_v2/output_selection.h"
#include "dialect/large_work.h"
#include "dialect/route_facts.h"
#include "runtime/backlog.h"

namespace modelmill::kserve_v2 {
namespace {

/// The client is not read while so much of this stream is unfinished; it is read again at half of it.
constexpr size_t kMaxInFlight = 256;
constexpr size_t kMaxUnsentBytes = size_t{16} << 20;
/// A client that lets so many bytes of answers pile up without reading is let go.
constexpr size_t kMostUnsentBytes = size_t{1} << 30;
/// A model that gives many answers faster than their client reads waits while there are more bytes of them.
constexpr size_t kMostUnread = size_t{4} << 20;
constexpr auto kLookAgain = std::chrono::milliseconds(10);

struct StreamMessage {
  wire::PackedMessage packed;
  Status error;  // what the message tells, for streams that end at the first error

  size_t size() const {
    size_t size = 0;
    for (const Bytes& bytes : packed.bytes) size += bytes.size();
    return size;
  }
};

class StreamCall;

/// One request of a stream and the sink of its answers. Answers are encoded on the thread they come on and handed to
/// the stream on its loop. Owned by the request in flight and by the stream.
class StreamRequest final : public ResponseSink, public std::enable_shared_from_this<StreamRequest> {
 public:
  StreamRequest(std::shared_ptr<StreamCall> stream, const SharedRegions& regions)
      : shared(&regions), stream_(std::move(stream)) {}

  void on_response(InferResponse response, bool final, bool has_response) override;

  // Set before the request is submitted.
  std::string model;
  std::string id;
  int64_t version = 0;
  RequestedOutputs requested;
  InferOptions options;
  SharedTensors shared;
  bool decoupled = false;
  bool is_open = false;     // the signature of the model that answers, as far as is known
  RoutedRequestPtr routed;  // null: it names a model

  // Loop thread, but for what read() does: the request until it is submitted, and how reading it went.
  InferRequestPtr request;
  std::optional<Status> read;  // nothing: it is being read

  // Loop thread: answers that wait for their turn.
  std::vector<StreamMessage> waiting;
  bool done = false;

  const std::string& served_model() const { return routed ? routed->target().model : model; }
  int64_t served_version() const { return routed && routed->version() != 0 ? routed->version() : version; }

 private:
  StreamMessage encode(InferResponse response, bool final);

  std::shared_ptr<StreamCall> stream_;
  bool answered_ = false;
  std::atomic<int> posted_{0};  // to the loop and not yet there
};

/// The stream. Everything but `cancel`, pack() and backlog() is the loop's.
class StreamCall final : public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, const HttpOptions& options,
             const SharedRegions& regions)
      : inference_(inference),
        call_(std::move(call)),
        offload_(options.offload),
        forwarding_(options.forwarding),
        regions_(regions) {
    for (const auto& [name, value] : call_->metadata()) {
      if (name == "triton_grpc_error") ends_at_error_ = value == "true";
    }
  }

  void begin(size_t length) { scanner_.begin(length); }
  void feed(std::span<const std::byte> bytes) { scanner_.feed(bytes); }
  void end();
  void half_close() {
    half_closed_ = true;
    finish_if_done();
  }
  void cancel(const Status& reason) {
    ended_ = true;
    look_again_.reset();
    backlog_.close();
    cancel_.cancel(reason.code() == Code::kDeadlineExceeded ? CancelToken::Reason::kDeadline
                                                            : CancelToken::Reason::kClientGone);
    drop_waiting();
  }

  /// An answer of `request` (none: only the end), on the loop.
  void deliver(StreamRequest& request, std::optional<StreamMessage> message, bool final);
  /// Of the answers that others follow. Any thread.
  Backlog& backlog() { return backlog_; }

  Inference& inference() { return inference_; }
  wire::Loop& loop() { return call_->loop(); }
  /// Any thread.
  void pack(wire::PackedMessage& message) const { call_->pack(message); }

 private:
  void read(const std::shared_ptr<StreamRequest>& answers);
  void submit_read();
  void drop_waiting();
  void send(StreamMessage message);
  void send_in_order();
  void finish_if_done();
  void finish(const Status& status);
  void balance(size_t came = 0);

  Inference& inference_;
  const std::shared_ptr<wire::GrpcCall> call_;
  Offload* const offload_;
  const std::shared_ptr<const HeaderForwarding> forwarding_;  // null: models get no metadata
  const SharedRegions& regions_;
  InferScanner scanner_;
  CancelToken cancel_;
  Backlog backlog_{kMostUnread};
  std::deque<std::shared_ptr<StreamRequest>> unread_;         // those that are not submitted yet, in their order
  std::deque<std::shared_ptr<StreamRequest>> ordered_;        // those whose answers keep the order
  std::map<std::pair<std::string, int64_t>, int> decoupled_;  // how many of the others there are, by model and version
  std::unique_ptr<wire::Loop::Timer> look_again_;
  size_t in_flight_ = 0;
  bool ends_at_error_ = false;
  bool half_closed_ = false;
  bool ended_ = false;
  bool paused_ = false;
  bool streams_ = false;  // there was an answer that others follow
};

StreamMessage StreamRequest::encode(InferResponse response, bool final) {
  StreamMessage message;
  message.error = response.status;
  std::optional<OpenHead> open;
  is_open = is_open || OpenAnswer::is(response);
  if (is_open)
    open.emplace(response);
  else if (message.error.ok())
    message.error = select_outputs(stream_->inference().catalog(), served_model(), requested, response);
  if (message.error.ok()) message.error = shared.write_outputs(response);
  if (!message.error.ok()) {
    response.outputs.clear();
    response.parameters = {};
  }
  response.parameters.set("triton_final_response", final);
  if (routed) routed->describe(response.parameters);
  const int64_t served = response.version != 0 ? response.version : version;
  const ResponseHead head{model, served, id};
  message.packed.bytes = encode_stream_response(response, open ? open->with(head) : head, message.error.message());
  stream_->pack(message.packed);
  return message;
}

void StreamRequest::on_response(InferResponse response, bool final, bool has_response) {
  if (!has_response && !decoupled && !answered_) {
    response.status = internal("expected a single response, got 0");
    has_response = true;
  }
  answered_ = answered_ || has_response;
  std::optional<StreamMessage> message;
  if (has_response || (decoupled && options.empty_final_response)) message = encode(std::move(response), final);
  if (!final && message) stream_->backlog().add(message->size());
  // What comes on the loop must not overtake what was posted to it.
  if (stream_->loop().on_thread() && posted_.load(std::memory_order_acquire) == 0) {
    stream_->deliver(*this, std::move(message), final);
    return;
  }
  posted_.fetch_add(1, std::memory_order_acq_rel);
  stream_->loop().post([self = shared_from_this(), message = std::move(message), final]() mutable {
    self->posted_.fetch_sub(1, std::memory_order_acq_rel);
    self->stream_->deliver(*self, std::move(message), final);
  });
}

void StreamCall::end() {
  if (ended_) return;
  auto answers = std::make_shared<StreamRequest>(shared_from_this(), regions_);
  answers->request = std::make_unique<InferRequest>(answers);
  InferRequest* const request = answers->request.get();
  answers->read = scanner_.end();
  if (answers->read->ok())
    answers->read =
        parse_infer_request(scanner_.fields(), scanner_.raw_contents(), *request, answers->options, answers->shared);
  if (answers->read->ok() && forwarding_) answers->read = forwarding_->apply(call_->metadata(), *request);
  request->times.received = Clock::now();
  request->deadline = call_->deadline();
  request->trace = call_->trace();
  request->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  request->room = std::shared_ptr<Room>(shared_from_this(), &backlog_);
  answers->model = request->model;
  answers->id = request->id;
  answers->version = request->version;
  answers->requested = request->outputs;
  if (request->version == 0 && request->label.empty())
    answers->routed = inference_.route(request->model, facts_of(*call_));
  {
    const auto table = inference_.catalog().table();
    const ModelEntry* entry = table->find(answers->served_model());
    const auto* version = entry == nullptr ? nullptr : entry->find(request->version);
    if (version != nullptr) answers->decoupled = (*version)->definition().decoupled;
    if (version != nullptr) answers->is_open = (*version)->signature().open;
  }
  if (may_ask_open_model(inference_.catalog(), *request, answers->routed)) {
    answers->options.open.set_stream();
    request->parameters.set(std::string(kOpenRequest), answers->options.open.text(call_->metadata()));
  }
  ++in_flight_;
  if (answers->decoupled)
    ++decoupled_[{answers->model, answers->version}];
  else
    ordered_.push_back(answers);
  unread_.push_back(answers);
  if (answers->read->ok()) read(answers);
  submit_read();
  balance();
}

/// Gets what of a request lies in shared memory.
void StreamCall::read(const std::shared_ptr<StreamRequest>& answers) {
  const auto fetch = [answers] {
    return within_memory([&] { return answers->shared.read_inputs(*answers->request); });
  };
  if (offload_ == nullptr || answers->shared.input_bytes() <= kLoopBytes) {
    answers->read = fetch();
    return;
  }
  answers->read.reset();
  const Status status = run_large(*offload_, [self = shared_from_this(), answers, fetch] {
    self->loop().post([self, answers, status = fetch()] {
      answers->read = status;
      self->submit_read();
    });
  });
  if (!status.ok()) answers->read = status;
}

/// Requests go their way in the order they came in, which those of a sequence need.
void StreamCall::submit_read() {
  while (!unread_.empty() && unread_.front()->read) {
    const std::shared_ptr<StreamRequest> answers = std::move(unread_.front());
    unread_.pop_front();
    InferRequestPtr request = std::move(answers->request);
    if (answers->read->ok())
      inference_.submit(std::move(request), nullptr, answers->routed);
    else
      request->fail(*answers->read);
  }
}

void StreamCall::deliver(StreamRequest& request, std::optional<StreamMessage> message, bool final) {
  if (final) --in_flight_;
  if (final && request.decoupled) {
    const auto found = decoupled_.find({request.model, request.version});
    if (--found->second == 0) decoupled_.erase(found);
  }
  const size_t came = !final && message ? message->size() : 0;
  streams_ = streams_ || !final;
  if (request.decoupled) {
    if (message) send(std::move(*message));
  } else {
    if (message) request.waiting.push_back(std::move(*message));
    request.done = request.done || final;
    send_in_order();
  }
  finish_if_done();
  balance(came);
}

/// Has requests that still wait answered now.
void StreamCall::drop_waiting() {
  std::set<std::pair<std::string, int64_t>> models;  // a copy: answers take requests out of the list
  for (const auto& request : ordered_) models.emplace(request->served_model(), request->served_version());
  for (const auto& [model, count] : decoupled_) models.insert(model);
  for (const auto& [model, version] : models) inference_.cancelled(model, version);
}

void StreamCall::send_in_order() {
  while (!ordered_.empty()) {
    const std::shared_ptr<StreamRequest> first = ordered_.front();
    for (StreamMessage& message : std::exchange(first->waiting, {})) send(std::move(message));
    if (!first->done) return;
    ordered_.pop_front();
  }
}

void StreamCall::send(StreamMessage message) {
  if (ended_) return;
  if (ends_at_error_ && !message.error.ok()) {
    finish(message.error);
    return;
  }
  if (call_->unsent_bytes() > kMostUnsentBytes) {
    finish(Status(Code::kResourceExhausted,
                  "the client does not read its answers: more than " + std::to_string(kMostUnsentBytes) +
                      " bytes of them are waiting; read the stream while sending, or keep fewer requests in flight"));
    return;
  }
  call_->send_packed(std::move(message.packed));
}

void StreamCall::finish_if_done() {
  if (half_closed_ && in_flight_ == 0 && !ended_) finish(ok_status());
}

void StreamCall::finish(const Status& status) {
  ended_ = true;
  look_again_.reset();
  backlog_.close();
  cancel_.cancel(CancelToken::Reason::kClientGone);  // nobody hears what is still in flight
  if (in_flight_ > 0) loop().post([self = shared_from_this()] { self->drop_waiting(); });
  call_->finish(status);
}

void StreamCall::balance(size_t came) {
  if (ended_) return;
  const size_t unsent = call_->unsent_bytes();
  if (streams_) backlog_.settle(came, unsent);
  const size_t share = paused_ ? 2 : 1;
  const bool pause = in_flight_ >= kMaxInFlight / share || unsent >= kMaxUnsentBytes / share;
  if (pause != paused_) {
    paused_ = pause;
    call_->pause_reading(pause);
  }
  // Bytes leave without our being told, so a stream that waits for that looks again by itself.
  const bool waits = paused_ && unsent >= kMaxUnsentBytes / 2;
  if (!waits && !(streams_ && backlog_.needs_settling(unsent))) {
    look_again_.reset();
  } else {
    look_again_ = loop().run_at(Clock::now() + kLookAgain, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      const auto fired = std::move(self->look_again_);  // outlives this call
      self->balance();
    });
  }
}

}  // namespace

wire::GrpcMethodFactory model_stream_infer_method(Inference& inference, const HttpOptions& options,
                                                  std::shared_ptr<const SharedRegions> regions) {
  return [&inference, options, regions = std::move(regions)](
             std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
    return std::make_unique<CallHandler<StreamCall>>(
        std::make_shared<StreamCall>(inference, std::move(call), options, *regions));
  };
}

}  // namespace modelmill::kserve_v2
