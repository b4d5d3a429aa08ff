#pragma once

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "request/infer_response.h"
#include "request/parameters.h"
#include "runtime/room.h"
#include "runtime/trace_context.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Tells everyone who holds a share that the answer is no longer wanted. Set once, never unset. One that is a part of
/// another's (a request to a member of an ensemble) is set with that one too. Thread-safe.
class CancelToken {
 public:
  enum class Reason : int { kNone = 0, kClientGone, kDeadline };
  CancelToken() = default;
  explicit CancelToken(std::shared_ptr<const CancelToken> whole) : whole_(std::move(whole)) {}
  /// True for the call that set it.
  bool cancel(Reason reason) {
    Reason none = Reason::kNone;
    return reason_.compare_exchange_strong(none, reason, std::memory_order_acq_rel);
  }
  bool cancelled() const { return reason() != Reason::kNone; }
  Reason reason() const {
    const Reason own = reason_.load(std::memory_order_acquire);
    return own == Reason::kNone && whole_ ? whole_->reason() : own;
  }

 private:
  std::atomic<Reason> reason_{Reason::kNone};
  const std::shared_ptr<const CancelToken> whole_;  // null: it is a whole
};

/// Receives a request's responses: any number with final=false and exactly one call with final=true (whose response may
/// be empty of outputs when `has_response` is false). Calls of one request never overlap, but come from any thread.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual void on_response(InferResponse response, bool final, bool has_response) = 0;
};

/// An output that the client named, with what the dialect wants done to it (opaque to the request path).
struct RequestedOutput {
  std::string name;
  /// 0, or: replace the tensor by its top k classes (the V2 classification extension).
  uint32_t classes = 0;
};

/// The number (0: none) or name of a sequence, and where in it this request stands.
struct SequenceControl {
  std::variant<uint64_t, std::string> id = uint64_t{0};
  bool start = false;
  bool end = false;
  bool present() const {
    return std::holds_alternative<std::string>(id) ? !std::get<std::string>(id).empty() : std::get<uint64_t>(id) != 0;
  }
};

class InferRequest;

/// Is told of the end of a request, before the client is: counters are right by the time the answer is seen. One object
/// serves all requests of a model version, so a request costs nothing but the call.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  /// `request` still holds everything; `status` is that of its last answer (OK for finish()). On the completing thread.
  virtual void on_completed(InferRequest& request, const Status& status) = 0;
};

/// The one inference request of every dialect. Owned by whoever is to act on it next (unique_ptr moves along the path).
/// It completes exactly once: complete() or the destructor, which answers INTERNAL for a request that was dropped.
/// Not synchronised; only the CancelToken is shared.
class InferRequest {
 public:
  explicit InferRequest(std::shared_ptr<ResponseSink> sink) : sink_(std::move(sink)) {}
  ~InferRequest();
  InferRequest(const InferRequest&) = delete;
  InferRequest& operator=(const InferRequest&) = delete;

  std::string model;
  int64_t version = 0;  // 0: the version policy's default (the latest)
  std::string label;    // what stands for the version instead; empty: nothing
  std::string id;
  Parameters parameters;
  boost::container::small_vector<Tensor, 2> inputs;
  boost::container::small_vector<RequestedOutput, 2> outputs;  // empty: all
  SequenceControl sequence;
  uint64_t priority = 0;                 // 0: the model's default; 1 is the highest
  std::chrono::microseconds timeout{0};  // of the queue (schedule policy extension); 0: the model's default
  TimePoint deadline = kNever;           // of the whole request (gRPC deadline)
  std::shared_ptr<CancelToken> cancel;   // null: cannot be cancelled
  RequestTimes times;
  TraceContext trace;  // of the caller; not present() without one
  /// Where who gives several answers waits for those before to be taken; null: they are taken as they come.
  std::shared_ptr<Room> room;
  /// It was made by an execution that has taken what it needs of the server's resources, as are those made of it: it
  /// doesn't wait for more, as the execution may wait for it.
  bool holds_resources = false;
  /// False: it does something, or its answer depends on more than it says. No kept answer is given to it, and its own
  /// is not kept.
  bool keepable = true;
  /// Rows of the batch dimension; 1 for a model without one. Set by admission.
  int64_t batch_rows = 1;

  /// Told once when the request completes. Outlives the request; null: nobody. Set by the scheduler.
  RequestObserver* observer = nullptr;

  /// Calls release(context) once, after the sink has got the last answer: what the request uses stays until then. A
  /// version's pin is handed over by `std::move(pin).hand_to(*request)` (catalog/model_version.h).
  void hold(void* context, void (*release)(void*));

  /// Puts `sink` in the place of the present one, which it returns. For those who stand between a request and its
  /// client.
  std::shared_ptr<ResponseSink> replace_sink(std::shared_ptr<ResponseSink> sink);

  bool cancelled() const { return cancel && cancel->cancelled(); }
  bool completed() const { return sink_ == nullptr; }

  const Tensor* input(std::string_view name) const;

  /// An intermediate answer of a model that gives several. Returns when there is room for the next.
  void respond(InferResponse response);
  /// The same without waiting, for those who answer in the place of the model, on a thread that has other work.
  void pass_on(InferResponse response);
  /// The last answer. A second call is a bug (CHECK).
  void complete(InferResponse response);
  /// The last answer is an error.
  void fail(Status status);
  /// The end without a further answer (a decoupled model's empty final response).
  void finish();

 private:
  void end(InferResponse response, bool has_response);

  std::shared_ptr<ResponseSink> sink_;  // null once completed
  void* held_ = nullptr;
  void (*release_)(void*) = nullptr;
};

using InferRequestPtr = std::unique_ptr<InferRequest>;

/// What a request that is cancelled, or whose deadline has passed, is answered with; OK when it is neither.
Status no_longer_wanted(const InferRequest& request, TimePoint now);

}  // namespace modelmill
