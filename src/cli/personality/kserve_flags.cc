#include <algorithm>
#include <array>

#include "cli/personality/kserve_values.h"

namespace modelmill::personality {
namespace {

using Draft = KserveDraft;

constexpr std::string_view kLoops = "event loops serve every port: one a core, at most 8";
constexpr std::string_view kPythonLog = "the log goes to standard error, and Python's logging is not asked";
constexpr std::string_view kNoPredictor = "of transformers and explainers, which are code of one's own: none is called";

Status take_access_format(Draft& draft, const std::string& /*text*/) {
  draft.launch.config.access_log = true;
  return ok_status();
}

template <typename... Words>
Status one_of(const std::string& text, Words... words) {
  const std::array<std::string_view, sizeof...(words)> all = {words...};
  if (std::find(all.begin(), all.end(), text) != all.end()) return ok_status();
  std::string list;
  for (const std::string_view word : all) list += (list.empty() ? "'" : ", '") + std::string(word) + "'";
  return invalid_argument("invalid choice: '" + text + "' (choose from " + list + ")");
}

Status look_at_loop(Draft& /*draft*/, const std::string& text) { return one_of(text, "auto", "asyncio", "uvloop"); }
Status look_at_protocol(Draft& /*draft*/, const std::string& text) { return one_of(text, "v1", "v2", "grpc-v2"); }

}  // namespace

std::vector<KserveFlag> kserve_server_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"model_name", kText, kSame, "without it `model`", "half"}, set_text<&Draft::model_name>},
      {{"model_dir", kText, kSame,
        "a folder, a file or a [URL](remote-models.md), without it `/mnt/models`; a folder of nothing but models' "
        "folders serves each by its own name",
        "/mnt/models"},
       set_text<&Draft::model_dir>},
      {{"http_port", kInteger, kMapped, "`--listen`, a port for HTTP and metrics", "8080"},
       take_python_integer<&Draft::http_port, 0>},
      {{"grpc_port", kInteger, kMapped, "`--listen`, a port for gRPC alone", "8081"},
       take_python_integer<&Draft::grpc_port, 0>},
      {{"enable_grpc", kBool, kMapped, "false: there is no port for gRPC", "true"}, take_python_bool<&Draft::grpc>},
      {{"workers", kInteger, kMapped, "`--instances`, where it is above 1; else the server chooses", "2"},
       take_python_integer<&Draft::workers, 1>},
      {{"max_threads", kInteger, kIgnored, kLoops, "4"}, look_at_python_integer},
      {{"max_asyncio_workers", kInteger, kIgnored, kLoops, "8"}, look_at_python_integer},
      {{"event-loop", kText, kIgnored, kLoops, "uvloop"}, look_at_loop},
      {{"timeout-keep-alive", kInteger, kMapped, "`--idle-timeout`", "65"},
       take_python_integer<&Draft::keep_alive_seconds, 0>},
      {{"enable_docs_url", kBool, kMapped,
        "[the page](protocols.md#what-the-server-says-of-itself) of modelmill at `/docs`", "true"},
       [](Draft& draft, const std::string& text) {
         MM_ASSIGN_OR_RETURN(draft.launch.config.docs_page, read_python_bool(text));
         return ok_status();
       }},
      {{"enable_latency_logging", kBool, kIgnored,
        "the metrics tell it, and each answer to whom asks in [`X-Server-Timing`](protocols.md)", "true"},
       look_at_python_bool},
      {{"configure_logging", kBool, kIgnored, kPythonLog, "true"}, look_at_python_bool},
      {{"log_config_file", kText, kIgnored, kPythonLog, "logging.yaml"}, check_text<Draft>},
      {{"access_log_format", kText, kMapped, "`--access-log`, in its own form", "%(h)s"}, take_access_format},
      {{"grpc_max_send_message_length", kInteger, kIgnored, "answers have what they have, up to 2 GiB", "8388608"},
       look_at_python_integer},
      {{"grpc_max_receive_message_length", kInteger, kMapped, "`--max-message-bytes`; without it 2 GiB and not 8 MiB",
        "8388608"},
       take_python_integer<&Draft::message_bytes, 1>},
  };
}

std::vector<KserveFlag> kserve_predictor_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"predictor_host", kText, kIgnored, kNoPredictor, "predictor.example"}, check_text<Draft>},
      {{"protocol", kText, kIgnored, kNoPredictor, "v1"}, look_at_protocol},
      {{"predictor_protocol", kText, kIgnored, kNoPredictor, "v2"}, look_at_protocol},
      {{"predictor_use_ssl", kBool, kIgnored, kNoPredictor, "false"}, look_at_python_bool},
      {{"predictor_request_timeout_seconds", kInteger, kIgnored, kNoPredictor, "600"}, look_at_python_integer},
      {{"predictor_request_retries", kInteger, kIgnored, kNoPredictor, "0"}, look_at_python_integer},
      {{"enable_predictor_health_check", kNone, kIgnored, kNoPredictor, ""}, check_text<Draft>},
  };
}

const std::vector<KserveFlag>& kserve_flags() {
  static const std::vector<KserveFlag> flags = [] {
    std::vector<KserveFlag> all;
    for (const auto part : {kserve_server_flags, kserve_predictor_flags, kserve_model_flags}) {
      std::vector<KserveFlag> some = part();
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return flags;
}

}  // namespace modelmill::personality
