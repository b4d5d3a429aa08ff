#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cache/cached_answer.h"

namespace modelmill::testing {

/// The answers that a request got, and how it ended.
class AnswerSink final : public ResponseSink {
 public:
  void on_response(InferResponse answer, bool final, bool has_response) override {
    if (has_response) last = std::move(answer);
    answers += has_response;
    finals += final;
  }
  InferResponse last;
  int answers = 0;
  int finals = 0;
};

inline Tensor bytes_tensor(std::string name, const std::string& data) {
  return {std::move(name), DataType::kUint8, {static_cast<int64_t>(data.size())}, {Bytes::copy_of(data)}};
}

/// A request with one input of these bytes.
inline InferRequestPtr question(const std::string& data, std::shared_ptr<ResponseSink> sink = nullptr) {
  if (!sink) sink = std::make_shared<AnswerSink>();
  auto request = std::make_unique<InferRequest>(std::move(sink));
  request->model = "m";
  request->inputs.push_back(bytes_tensor("x", data));
  return request;
}

/// An answer with one output of these bytes.
inline InferResponse reply(const std::string& data) {
  InferResponse response;
  response.version = 3;
  response.outputs.push_back(bytes_tensor("y", data));
  return response;
}

inline std::shared_ptr<const CachedAnswer> kept(AnswerScope scope, const InferRequest& request,
                                                const InferResponse& response) {
  auto answer = std::make_shared<CachedAnswer>(scope, request);
  answer->take(response);
  return answer;
}

inline std::string text_of(const InferResponse& response) {
  return response.outputs.empty() ? "" : std::string(response.outputs.front().contiguous().view());
}

}  // namespace modelmill::testing
