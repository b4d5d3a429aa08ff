#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model_version.h"
#include "catalog/request_recorder.h"
#include "dialect/tfserving/predict_codec.h"

namespace modelmill::tfserving {

/// What a PredictionLog holds, as the number of its field.
enum class LoggedKind : uint32_t { kClassify = 2, kRegress = 3, kMultiInference = 4, kPredict = 6 };

/// A request that was drawn: what is kept of it until its answer is there.
struct LoggedRequest {
  std::vector<RequestLogging> logs;  // that it was drawn for
  bool of_saved_model = false;
  std::string request;  // serialised
};

/// The requests of models that are configured to log a share of theirs, with the answers, as PredictionLogs of
/// TensorFlow Serving's. Requests that fail are not logged, as there. Thread-safe.
class RequestLog {
 public:
  /// `recorder` must outlive the requests.
  explicit RequestLog(RequestRecorder& recorder) : recorder_(recorder) {}

  /// Draws a request that `version` is to be given; null for one that is not logged.
  std::unique_ptr<LoggedRequest> draw(const ModelVersion& version) const;

  /// Writes down one that was answered; `response` is the serialised message.
  void write(const LoggedRequest& logged, LoggedKind kind, const PredictSpec& spec, std::string_view response) const;
  void write(const LoggedRequest& logged, LoggedKind kind, const PredictSpec& spec, const Chunks& response) const;

 private:
  RequestRecorder& recorder_;
};

/// A serialised ClassificationRequest, which is a RegressionRequest too: of an Input's `examples` and `context`, which
/// may be empty.
std::string write_examples_request(const std::vector<std::string_view>& examples, std::string_view context,
                                   const PredictSpec& spec);

}  // namespace modelmill::tfserving
