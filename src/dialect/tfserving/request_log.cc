#include "dialect/tfserving/request_log.h"

#include <chrono>

#include "base/chance.h"
#include "dialect/proto_text.h"
#include "dialect/tfserving/saved_model.h"

namespace modelmill::tfserving {
namespace {

/// A LogMetadata.
std::string metadata(const LoggedRequest& logged, double rate, const PredictSpec& spec) {
  std::string out, sampling;
  append_bytes(out, 1, model_spec(spec));
  append_double_field(sampling, 1, rate);
  append_bytes(out, 2, sampling);
  if (logged.of_saved_model) append_bytes(out, 3, "serve");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  append_varint_field(out, 4, static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count()));
  return out;
}

}  // namespace

std::unique_ptr<LoggedRequest> RequestLog::draw(const ModelVersion& version) const {
  const ModelDefinition& definition = version.definition();
  std::unique_ptr<LoggedRequest> out;
  for (const RequestLogging& log : definition.request_logs) {
    if (chance() >= log.sampling_rate) continue;
    if (!out) out = std::make_unique<LoggedRequest>();
    out->logs.push_back(log);
  }
  if (out) out->of_saved_model = is_saved_model(version);
  return out;
}

void RequestLog::write(const LoggedRequest& logged, LoggedKind kind, const PredictSpec& spec,
                       std::string_view response) const {
  std::string both;
  append_bytes(both, 1, logged.request);
  append_bytes(both, 2, response);
  for (const RequestLogging& log : logged.logs) {
    std::string out;
    append_bytes(out, 1, metadata(logged, log.sampling_rate, spec));
    append_bytes(out, static_cast<uint32_t>(kind), both);
    recorder_.record(std::string(spec.model), log.file_prefix, std::move(out));
  }
}

void RequestLog::write(const LoggedRequest& logged, LoggedKind kind, const PredictSpec& spec,
                       const Chunks& response) const {
  std::string text;
  for (const Bytes& part : response) text += part.view();
  write(logged, kind, spec, text);
}

std::string write_examples_request(const std::vector<std::string_view>& examples, std::string_view context,
                                   const PredictSpec& spec) {
  std::string list, input, out;
  for (const std::string_view example : examples) append_bytes(list, 1, example);
  if (!context.empty()) append_bytes(list, 2, context);
  append_bytes(input, context.empty() ? 1 : 2, list);
  append_bytes(out, 1, model_spec(spec));
  append_bytes(out, 2, input);
  return out;
}

}  // namespace modelmill::tfserving
