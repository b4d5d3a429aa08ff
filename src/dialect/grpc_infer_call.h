#pragma once

#include <memory>

#include "runtime/offload.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill {

/// One inference that a client asks for by gRPC, whose message is scanned as it comes; it has one answer unless the
/// dialect sees to more. A dialect derives from it and says what is in request and answer. The scanning is the loop's;
/// what is left to parse is parsed by the offload where it is large. It is the sink of its answer, which is encoded on
/// the thread it comes on and sent on the loop. Owned by its handler (CallHandler) and by the request in flight, so it
/// outlives either.
class GrpcInferCall : public ResponseSink, public std::enable_shared_from_this<GrpcInferCall> {
 public:
  /// `timed`: the answer says where its time went, whether the client asks or not.
  GrpcInferCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, bool timed, Offload* offload)
      : inference_(inference), call_(std::move(call)), timed_(timed || call_->asks_timing()), offload_(offload) {}

  /// The message is whole. A second one is passed over.
  void end();
  void half_close();
  void cancel(const Status& reason);
  void on_response(InferResponse response, bool final, bool has_response) override;

 protected:
  /// The scanner has had the last byte.
  virtual Status scanned() = 0;
  /// How much parse() works through: above kLoopBytes a loop doesn't.
  virtual size_t unparsed_bytes() const = 0;
  /// Fills the request from what was scanned. May run on a thread of the offload.
  virtual Status parse(InferRequest& request) = 0;
  /// Gets for the parsed request what does not come in the message. May run there too.
  virtual Status fetch(InferRequest&) { return ok_status(); }
  /// How much that is: above kLoopBytes a loop doesn't.
  virtual size_t fetched_bytes() const { return 0; }
  /// Sends what was parsed on its way, or fails it. Loop thread.
  virtual void submit(InferRequestPtr request) = 0;
  /// The client went away after the request was submitted: whoever has it is to be told.
  virtual void abandoned() = 0;
  /// Writes the one answer, which has no error, as a message's parts. Any thread.
  virtual Result<Chunks> encode(InferResponse& response) = 0;
  /// What a client is told of an answer that has an error. Any thread.
  virtual Status refusal(const InferResponse& response) const { return response.status; }
  /// Goes with the answer's end; for encode().
  void add_trailer(std::string name, std::string value) { trailers_.emplace_back(std::move(name), std::move(value)); }
  /// Is told what the client gets, on the loop.
  virtual void answered(const Status&) {}

  /// Finds the way of a request for `model` that names no version. Its parse() or submit(), once.
  const RoutedRequestPtr& find_route(std::string_view model);
  /// Null: there is none.
  const RoutedRequestPtr& routed() const { return routed_; }

  Inference& inference() const { return inference_; }
  const std::shared_ptr<wire::GrpcCall>& call() const { return call_; }
  /// A message was received already: what else comes is not for this call.
  bool received() const { return received_; }

 private:
  Status run_apart(Status (GrpcInferCall::*step)());
  Status parse_and_fetch();
  Status fetch_parsed() { return fetch(*request_); }
  void parsed(const Status& status);
  Status encode_answer();
  void deliver();

  Inference& inference_;
  const std::shared_ptr<wire::GrpcCall> call_;
  const bool timed_;
  Offload* const offload_;
  RoutedRequestPtr routed_;
  CancelToken cancel_;
  InferRequestPtr request_;  // until it is parsed
  bool received_ = false;
  bool submitted_ = false;

  // The answer; its parts are written by one thread after another.
  int responses_ = 0;
  InferResponse response_;
  wire::PackedMessage message_;
  wire::GrpcMetadata trailers_;
};

}  // namespace modelmill
