#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "dialect/http_options.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill {

/// One inference that a client asks for by HTTP: from the body to the reply, which has one answer unless the dialect
/// sees to more. A dialect derives from it and says what body and reply look like. It is the sink of its answer, which
/// is written on the thread it comes on and sent on the loop; a large body is read, and a large answer written, by the
/// offload instead of the loop. Lives until the reply is on its way; a client that goes away cancels it.
class HttpInferCall : public ResponseSink, public std::enable_shared_from_this<HttpInferCall> {
 public:
  /// `inference` must outlive the exchange.
  HttpInferCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model);
  ~HttpInferCall() override;

  /// Has the version that was found infer; an error in its place is answered before anything about the body. `routed`:
  /// the way that led to it, if any. Loop thread, once.
  void start(Result<VersionPin> pin, const HttpOptions& options, RoutedRequestPtr routed = nullptr);
  void on_response(InferResponse response, bool final, bool has_response) override;

 protected:
  /// Fills `request` from the body, which is decoded. May run on a thread of the offload.
  virtual Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) = 0;
  /// The reply to the one answer, or to the status that it has; compressed and timed by the caller. Any thread, once.
  virtual wire::HttpReply write(InferResponse response) = 0;
  /// Gets for the parsed request what does not come in the body. May run on a thread of the offload.
  virtual Status fetch(InferRequest&) { return ok_status(); }
  /// False: what is in the body is known already. It is not decoded, and parse() gets an empty one.
  virtual bool reads_body() const { return true; }
  /// How much of the body parse() works through: above kLoopBytes a loop doesn't.
  virtual size_t parsed_bytes(const Bytes& body) const { return body.size(); }
  /// The same of what fetch() gets.
  virtual size_t fetched_bytes() const { return 0; }
  /// The same of the answer.
  virtual size_t written_bytes(const InferResponse& response) const;
  /// What clients are told who ask a model that gives any number of answers; null: they get them all, and on_response()
  /// is the dialect's.
  virtual const char* many_answers() const;
  /// It asks for an explanation, and not for a prediction.
  virtual bool explains() const { return false; }
  /// Its time is over: the client is told `status`, and write() is not called any more. Loop thread.
  virtual void timed_out(const Status& status) { (void)status; }
  /// The client has gone away. Loop thread.
  virtual void abandoned() {}

  Inference& inference() const { return inference_; }
  const wire::HttpRequest& http() const { return exchange_->request(); }
  const std::shared_ptr<wire::HttpExchange>& exchange() const { return exchange_; }
  const std::string& model() const { return model_; }
  /// Of the version that was found; 0: none was.
  int64_t version() const { return routed_ && routed_->version() != 0 ? routed_->version() : version_; }
  /// Null: the request names a model.
  const RoutedRequestPtr& routed() const { return routed_; }
  /// Whose answer it is: the model, or the one that the route led to.
  const std::string& served_model() const { return routed_ ? routed_->target().model : model_; }
  /// OK where the request has the headers that its model is to get; they come only of a dialect that calls this.
  Status forward_headers(InferRequest& request) const;
  /// Of the reply's body; empty: none.
  const std::string& encoding() const { return encoding_; }

 private:
  class Limit;

  void abandon();
  void set_limit(Duration time);
  void time_is_over();
  void send(wire::HttpReply reply);
  void read(std::optional<Result<Bytes>> body, const InflateLimit& limit);
  void submit(Status status);
  void answer();
  wire::HttpReply make_reply();

  Inference& inference_;
  const std::shared_ptr<wire::HttpExchange> exchange_;
  const std::string model_;
  std::string encoding_;
  int64_t version_ = 0;
  bool timed_ = false;
  Offload* offload_ = nullptr;
  std::shared_ptr<InferObserver> observer_;             // null: nobody looks
  std::shared_ptr<const HeaderForwarding> forwarding_;  // null: models get no headers
  RoutedRequestPtr routed_;
  CancelToken cancel_;
  std::unique_ptr<Limit> limit_;      // null: it may take as long as it takes
  std::atomic<bool> settled_{false};  // what its client is told: an answer, or that it took too long
  VersionPin pin_;                    // until it is read
  InferRequestPtr request_;           // until it is submitted
  int responses_ = 0;
  InferResponse response_;
};

}  // namespace modelmill
