#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "cli/personality/flag_value.h"
#include "cli/personality/mlserver_draft.h"

namespace modelmill::personality {
namespace {

using Draft = MlserverDraft;

constexpr std::string_view kNoKafka = "Kafka is not spoken";

/// As pydantic reads them.
Status read_switch(const std::string& value, bool& into) {
  std::string lower = value;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 6> kYes = {"true", "1", "on", "t", "y", "yes"};
  constexpr std::array<std::string_view, 6> kNo = {"false", "0", "off", "f", "n", "no"};
  into = std::find(kYes.begin(), kYes.end(), lower) != kYes.end();
  if (into || std::find(kNo.begin(), kNo.end(), lower) != kNo.end()) return ok_status();
  return invalid_argument("must be true or false, not '" + value + "'");
}

template <auto Member>
Status take_switch(Draft& draft, const std::string& value) {
  return read_switch(value, draft.*Member);
}

Status look_at_switch(Draft& /*draft*/, const std::string& value) {
  bool ignored = false;
  return read_switch(value, ignored);
}

template <auto Member>
Status take_number(Draft& draft, const std::string& value) {
  const auto number = read_integer(value);
  if (!number.ok() || *number < 0) return invalid_argument("must be a whole number from 0 on, not '" + value + "'");
  draft.*Member = *number;
  return ok_status();
}

template <auto Member>
Status take_port(Draft& draft, const std::string& value) {
  const auto number = read_integer(value);
  if (!number.ok() || *number < 0 || *number > 65'535)
    return invalid_argument("must be a port from 0 to 65535, not '" + value + "'");
  draft.*Member = *number;
  return ok_status();
}

Status refuse_kafka(Draft& /*draft*/, const std::string& value) {
  bool on = false;
  MM_RETURN_IF_ERROR(read_switch(value, on));
  return on ? invalid_argument("must be false: Kafka is not spoken; ask over HTTP or gRPC") : ok_status();
}

Status refuse_repository(Draft& /*draft*/, const std::string& value) {
  if (value == "null") return ok_status();
  return invalid_argument("must be null: models are found in FOLDER, and not by '" + value + "'");
}

Status take_metrics(Draft& draft, const std::string& value) {
  draft.metrics = value != "null" && !value.empty();
  if (!draft.metrics || value == "/metrics") return ok_status();
  return invalid_argument("must be /metrics, or null for none, not '" + value + "'");
}

Status take_metrics_prefix(Draft& draft, const std::string& value) {
  const auto may_be = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':'; };
  if (value.empty() || std::isdigit(static_cast<unsigned char>(value.front())) != 0 ||
      !std::all_of(value.begin(), value.end(), may_be))
    return invalid_argument("must be the begin of a metric's name, of letters, digits and '_', not '" + value + "'");
  draft.metrics_prefix = value;
  return ok_status();
}

Status take_message_bytes(Draft& draft, const std::string& value) {
  if (value == "null" || value == "-1") return ok_status();
  const auto number = read_long(value);
  if (!number.ok() || *number <= 0) return invalid_argument("must be a number of bytes above 0, not '" + value + "'");
  draft.message_bytes = *number;
  return ok_status();
}

Status take_server_name(Draft& draft, const std::string& value) {
  draft.launch.config.server_name = value;
  return ok_status();
}

Status take_cors(Draft& draft, const std::string& value) {
  if (value == "null") return ok_status();
  simdjson::dom::parser parser;
  simdjson::dom::object settings;
  if (parser.parse(value).get(settings)) return invalid_argument("must be an object, not '" + value + "'");
  simdjson::dom::element origins;
  if (settings["allow_origins"].get(origins) || origins.is_null()) return ok_status();
  simdjson::dom::array list;
  if (origins.get(list)) return invalid_argument("must have a list of texts as 'allow_origins'");
  draft.launch.config.access.cors_origins.clear();
  for (const simdjson::dom::element origin : list) {
    std::string_view text;
    if (origin.get(text)) return invalid_argument("must have a list of texts as 'allow_origins'");
    draft.launch.config.access.cors_origins.emplace_back(text);
  }
  return ok_status();
}

std::vector<MlserverSetting> serving_settings() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"debug", kBool, kMapped, "`--log-level debug`", "true"}, take_switch<&Draft::debug>},
      {{"parallel_workers", kInteger, kMapped, "`--instances`, where it is above 1; else the server chooses", "2"},
       take_number<&Draft::parallel_workers>},
      {{"parallel_workers_timeout", kInteger, kMapped, "`--drain-timeout`", "5"}, take_number<&Draft::stop_seconds>},
      {{"environments_dir", kText, kIgnored, "environments are where [Python models](python.md) have them", ".envs"},
       check_text<Draft>},
      {{"model_repository_implementation", kText, kSame, "anything but null is refused", "null"}, refuse_repository},
      {{"model_repository_root", kText, kIgnored, "FOLDER counts, as there", "."}, check_text<Draft>},
      {{"model_repository_implementation_args", kText, kIgnored, "there is one kind of repository", "{}"},
       check_text<Draft>},
      {{"load_models_at_startup", kBool, kMapped, "false: `--model-control-mode explicit` without `--load-model`",
        "true"},
       take_switch<&Draft::load_models>},
      {{"server_name", kText, kSame, "of the metadata", "mine"}, take_server_name},
      {{"server_version", kText, kIgnored, "the metadata has modelmill's", "1.0"}, check_text<Draft>},
      {{"extensions", kText, kIgnored, "the metadata has those that there are", "[]"}, check_text<Draft>},
      {{"host", kText, kMapped, "`--listen`, for every port", "127.0.0.1"}, set_text<&Draft::host>},
      {{"http_port", kInteger, kMapped, "`--listen`, for HTTP alone", "8080"}, take_port<&Draft::http_port>},
      {{"root_path", kText, kIgnored, "paths are served as they come", "/prefix"}, check_text<Draft>},
      {{"grpc_port", kInteger, kMapped, "`--listen`, for gRPC alone", "8081"}, take_port<&Draft::grpc_port>},
      {{"grpc_max_message_length", kInteger, kMapped, "`--max-message-bytes`", "1000000"}, take_message_bytes},
      {{"cors_settings", kText, kMapped, "its `allow_origins`: `--cors-origin`; its other fields say nothing here",
        "{\"allow_origins\": [\"https://a.example\"]}"},
       take_cors},
  };
}

std::vector<MlserverSetting> watching_settings() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"metrics_endpoint", kText, kSame, "null: none; another path is refused", "/metrics"}, take_metrics},
      {{"metrics_port", kInteger, kMapped, "`--listen`, for metrics alone", "8082"}, take_port<&Draft::metrics_port>},
      {{"metrics_rest_server_prefix", kText, kSame,
        "what the names of [metrics](metrics.md#of-mlserver) of HTTP begin with", "rest_server"},
       take_metrics_prefix},
      {{"metrics_dir", kText, kIgnored, "nothing of metrics is in files", ".metrics"}, check_text<Draft>},
      {{"use_structured_logging", kBool, kMapped, "`--log-format json`", "true"}, take_switch<&Draft::structured_log>},
      {{"logging_settings", kText, kIgnored, "the log goes to standard error, and Python's logging is not asked",
        "logging.json"},
       check_text<Draft>},
      {{"kafka_enabled", kBool, kSame, "true is refused: Kafka is not spoken", "false"}, refuse_kafka},
      {{"kafka_servers", kText, kIgnored, kNoKafka, "localhost:9092"}, check_text<Draft>},
      {{"kafka_topic_input", kText, kIgnored, kNoKafka, "mlserver-input"}, check_text<Draft>},
      {{"kafka_topic_output", kText, kIgnored, kNoKafka, "mlserver-output"}, check_text<Draft>},
      {{"tracing_server", kText, kIgnored,
        "a collector of OTLP over gRPC, which is not spoken; over HTTP [`modelmill serve --trace-otlp`](tracing.md) "
        "does it",
        "http://127.0.0.1:4317"},
       check_text<Draft>},
      {{"cache_enabled", kBool, kMapped,
        "`--response-cache-entries`, of models whose own `cache_enabled` is true, as there", "true"},
       take_switch<&Draft::cache>},
      {{"cache_size", kInteger, kMapped,
        "`--response-cache-entries`; the answers not asked for longest go first, not those kept first, and all take 1 "
        "GiB at most",
        "100"},
       take_number<&Draft::cache_size>},
      {{"gzip_enabled", kBool, kIgnored, "answers are compressed as their clients ask", "true"}, look_at_switch},
  };
}

}  // namespace

const std::vector<MlserverSetting>& mlserver_settings() {
  static const std::vector<MlserverSetting> settings = [] {
    std::vector<MlserverSetting> all = serving_settings();
    const std::vector<MlserverSetting> more = watching_settings();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return settings;
}

}  // namespace modelmill::personality
