#include <algorithm>
#include <cctype>

#include "cli/personality/flag_value.h"
#include "cli/personality/triton_draft.h"
#include "server/metrics_config.h"

namespace modelmill::personality {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

Status set_verbose(TritonDraft& draft, const std::string& text) {
  const std::string word = lower(text);
  if (word == "true" || word == "false") {
    draft.launch.log.debug = word == "true";
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(const int level, read_integer(text));
  draft.launch.log.debug = level > 0;
  return ok_status();
}

template <auto Member>
Status set_log(TritonDraft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(draft.launch.log.*Member, read_bool(text));
  return ok_status();
}

Status set_log_file(TritonDraft& draft, const std::string& text) {
  draft.launch.log.file = text;
  return ok_status();
}

Status check_log_format(TritonDraft& /*draft*/, const std::string& text) {
  if (text == "default" || text == "ISO8601") return ok_status();
  return invalid_argument("invalid argument for --log-format");
}

/// A setting that is none of tritonserver's ends neither that nor us.
Status set_metrics_config(TritonDraft& draft, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return invalid_argument("--metrics-config option format is <setting>=<value>. Got " + text);
  if (const Status status = add_metrics_setting(text, draft.launch.config.series); !status.ok())
    draft.launch.notices.push_back(
        {"a setting of tritonserver is ignored", "--metrics-config=" + text, status.message()});
  return ok_status();
}

template <auto Member>
Status set_series(TritonDraft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(draft.launch.config.*Member, read_bool(text));
  return ok_status();
}

/// Triton's names of levels, some of which are older.
Status add_trace_level(TritonDraft& draft, const std::string& text) {
  const std::string level = lower(text);
  if (level == "false" || level == "off") {
    draft.trace_off = true;
    return ok_status();
  }
  if (level == "true" || level == "on" || level == "min" || level == "max" || level == "timestamps")
    return add_trace_setting("level=TIMESTAMPS", draft.launch.config.trace);
  if (level == "tensors") return add_trace_setting("level=TENSORS", draft.launch.config.trace);
  return invalid_argument("invalid value for trace level option: " + text);
}

Status add_trace(TritonDraft& draft, const std::string& text) {
  if (text.starts_with("mode=")) return add_trace_setting("mode=" + lower(text.substr(5)), draft.launch.config.trace);
  if (text.starts_with("level=")) return add_trace_level(draft, text.substr(6));
  return add_trace_setting(text, draft.launch.config.trace);
}

Status set_trace_file(TritonDraft& draft, const std::string& text) { return add_trace(draft, "triton,file=" + text); }
Status set_trace_rate(TritonDraft& draft, const std::string& text) { return add_trace(draft, "rate=" + text); }
Status set_trace_count(TritonDraft& draft, const std::string& text) { return add_trace(draft, "count=" + text); }
Status set_trace_frequency(TritonDraft& draft, const std::string& text) {
  return add_trace(draft, "triton,log-frequency=" + text);
}

}  // namespace

std::vector<TritonFlag> triton_watching_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"log-verbose", kInteger, kMapped, "lines of `--log-level debug`, from 1 on", "0"}, set_verbose},
      {{"log-info", kBool, kSame, "", "true"}, set_log<&LogSetup::info>},
      {{"log-warning", kBool, kSame, "", "true"}, set_log<&LogSetup::warning>},
      {{"log-error", kBool, kSame, "", "true"}, set_log<&LogSetup::error>},
      {{"log-format", kText, kIgnored, "lines are modelmill's own, with times of ISO 8601", "default"},
       check_log_format},
      {{"log-file", kText, kSame, "", "server.log"}, set_log_file},
      {{"allow-metrics", kBool, kSame, "", "true"}, set_bool<&TritonDraft::allow_metrics>},
      {{"allow-gpu-metrics", kBool, kSame, "false: there are no `nv_gpu_*` and `nv_energy_consumption`", "true"},
       set_series<&ServerConfig::gpu_series>},
      {{"allow-cpu-metrics", kBool, kSame, "false: there are no `nv_cpu_*`", "true"},
       set_series<&ServerConfig::cpu_series>},
      {{"metrics-address", kText, kMapped, "`--listen`, a port for `/metrics` alone; that of HTTP without it",
        "127.0.0.1"},
       set_text<&TritonDraft::metrics_address>},
      {{"metrics-port", kInteger, kMapped, "`--listen`, a port for `/metrics` alone", "8002"},
       set_integer<&TritonDraft::metrics_port>},
      {{"metrics-interval-ms", kNumber, kIgnored, "metrics are as of the moment they are asked for", "2000"},
       check_number<TritonDraft>},
      {{"metrics-config", kText, kSame,
        "`counter_latencies`, `histogram_latencies`, `summary_latencies`, `summary_quantiles`; without it "
        "[histograms](metrics.md#triton) are there, too, and quantiles are within 0.8% whatever error they may have",
        "summary_latencies=true"},
       set_metrics_config},
      {{"trace-config", kText, kMapped,
        "`--trace-config`; with `mode=opentelemetry` `opentelemetry,url=`, `resource=` and `bsp_...=`, and "
        "[what belongs to it](tracing.md#as-triton)",
        "rate=1000"},
       add_trace},
      {{"trace-file", kText, kMapped, "`--trace-config triton,file=FILE`", "trace.json"}, set_trace_file},
      {{"trace-level", kText, kMapped, "`--trace-config level=LEVEL`", "OFF"}, add_trace_level},
      {{"trace-rate", kInteger, kMapped, "`--trace-config rate=N`", "1000"}, set_trace_rate},
      {{"trace-count", kInteger, kMapped, "`--trace-config count=N`", "-1"}, set_trace_count},
      {{"trace-log-frequency", kInteger, kMapped, "`--trace-config triton,log-frequency=N`", "0"}, set_trace_frequency},
  };
}

}  // namespace modelmill::personality
