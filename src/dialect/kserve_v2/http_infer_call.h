#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dialect/http_infer_call.h"
#include "dialect/kserve_v2/binary_type.h"
#include "dialect/kserve_v2/http_infer_codec.h"

namespace modelmill::kserve_v2 {

/// One infer request of the V2 API. Who has such requests among others derives from it.
class V2Call : public HttpInferCall {
 public:
  /// `inference` and `regions` must outlive the exchange. `unsaid_type`: the media type (binary_type.h) of answers with
  /// tensors behind their JSON, where the request says nothing of such; empty: V2's own, with a header.
  V2Call(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
         const SharedRegions& regions, std::string_view unsaid_type = {})
      : HttpInferCall(inference, std::move(exchange), std::move(model)),
        sent_type_(binary_type(http().header("content-type"))),
        unsaid_type_(unsaid_type),
        shared_(&regions) {}

 protected:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  Status fetch(InferRequest& request) override { return shared_.read_inputs(request); }
  size_t parsed_bytes(const Bytes& body) const override;
  size_t fetched_bytes() const override { return shared_.input_bytes(); }
  size_t written_bytes(const InferResponse& response) const override;
  const char* many_answers() const override {
    return "HTTP end point doesn't support models with decoupled transaction policy";
  }

  /// Whether the request's headers say how long the JSON in front of the body's tensors is.
  bool tells_json_length() const;

 private:
  wire::HttpReply write_open(InferResponse& response);
  std::string_view answer_type() const;
  Result<std::optional<size_t>> json_length(size_t body_size) const;

  const std::string_view sent_type_;  // the request's own, of those of binary_type.h
  const std::string_view unsaid_type_;
  bool is_open_ = false;  // the model's signature
  std::string id_;
  HttpOutputs outputs_;
  SharedTensors shared_;
};

}  // namespace modelmill::kserve_v2
