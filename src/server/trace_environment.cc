#include "server/trace_environment.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/percent_text.h"
#include "client/authorities.h"
#include "server/version.h"

namespace modelmill {
namespace {

constexpr std::string_view kSampler = "OTEL_TRACES_SAMPLER";

/// A variable that has been found; empty text: it has not.
struct Variable {
  std::string name;
  std::string text;
};

/// That of traces, or that of all signals.
Variable find(const Variables& variables, const char* what) {
  for (const char* begin : {"OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"}) {
    std::string name = std::string(begin) + what;
    if (auto text = variables(name); text && !text->empty()) return {std::move(name), *std::move(text)};
  }
  return {};
}

Status wrong(const std::string& name, const std::string& why) {
  return invalid_argument(name + " in the environment: " + why);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

/// "key=value,key2=value2", with values as in W3C's baggage. They may be secrets, so errors name keys alone.
Result<NamedTexts> read_pairs(const std::string& name, std::string_view text) {
  NamedTexts out;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find(','), text.size());
    const std::string_view pair = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return wrong(name, "number " + std::to_string(number) + " of its entries is no KEY=VALUE");
    const std::string key(trimmed(pair.substr(0, equals)));
    auto value = decode_percents(trimmed(pair.substr(equals + 1)));
    if (!value.ok())
      return wrong(name,
                   "the value of '" + key + "' has a '%' without two hexadecimal digits after it; a plain '%' is %25");
    out.emplace_back(key, *std::move(value));
  }
  return out;
}

Result<int64_t> read_number(const std::string& name, const std::string& text, int64_t least) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= least && number <= INT32_MAX) return number;
  return wrong(name,
               "'" + text + "' is no number between " + std::to_string(least) + " and " + std::to_string(INT32_MAX));
}

/// Headers of HTTP can't hold everything.
bool is_header(const std::string& name, const std::string& value) {
  const auto plain = [](char c) { return c > 0x20 && c < 0x7F && c != ':'; };
  const auto printable = [](char c) { return (c >= 0x20 && c != 0x7F) || c == '\t'; };
  return std::all_of(name.begin(), name.end(), plain) && std::all_of(value.begin(), value.end(), printable);
}

Status take_headers(const Variables& variables, ExportOptions& options) {
  const Variable headers = find(variables, "HEADERS");
  MM_ASSIGN_OR_RETURN(NamedTexts pairs, read_pairs(headers.name, headers.text));
  for (const auto& [name, value] : pairs)
    if (!is_header(name, value)) return wrong(headers.name, "'" + name + "' has a character that no header may have");
  options.headers = std::move(pairs);
  return ok_status();
}

Status take_timeout(const Variables& variables, ExportOptions& options) {
  const Variable timeout = find(variables, "TIMEOUT");
  if (timeout.text.empty()) return ok_status();
  MM_ASSIGN_OR_RETURN(const int64_t ms, read_number(timeout.name, timeout.text, 1));
  options.timeout = std::chrono::milliseconds(ms);
  return ok_status();
}

/// One that can't be read is better known at the start.
Status take_certificate(const Variables& variables, ExportOptions& options) {
  Variable file = find(variables, "CERTIFICATE");
  if (file.text.empty()) return ok_status();
  options.ca_file = std::move(file.text);
  options.ca_setting = std::move(file.name);
  if (!options.server.tls) return ok_status();
  return trust_authorities(options.ca_file, options.ca_setting + " in the environment").status();
}

template <typename T>
Status take_number(const Variables& variables, const char* name, int64_t least, bool given, T& into) {
  const std::string text = variables(name).value_or("");
  if (given || text.empty()) return ok_status();
  MM_ASSIGN_OR_RETURN(const int64_t number, read_number(name, text, least));
  into = T(number);
  return ok_status();
}

/// What a value that can't be means: an error to who asked for traces, and else a warning, as programs that a server
/// starts may have variables of their own there.
Status settle(const Status& status, bool asked, TraceConfig& config) {
  if (status.ok() || asked) return status;
  config.warnings.push_back(status.message() + "; it is passed over");
  return ok_status();
}

Status take_batches(const Variables& variables, bool asked, TraceConfig& config) {
  const TraceConfig::Given& given = config.given;
  ExportOptions& options = config.collector;
  const Status all[] = {
      take_number(variables, "OTEL_BSP_MAX_QUEUE_SIZE", 1, given.queue, options.max_queue),
      take_number(variables, "OTEL_BSP_SCHEDULE_DELAY", 0, given.delay, options.delay),
      take_number(variables, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, given.batch, options.max_batch),
  };
  for (const Status& status : all) MM_RETURN_IF_ERROR(settle(status, asked, config));
  return ok_status();
}

/// Later ones of a name count.
Status take_resource(const Variables& variables, bool asked, TraceConfig& config) {
  auto& resource = config.collector.resource;
  resource = {{"service.name", config.service},
              {"service.version", server_version()},
              {"telemetry.sdk.language", "cpp"},
              {"telemetry.sdk.name", "modelmill"},
              {"telemetry.sdk.version", server_version()}};
  constexpr char kAttributes[] = "OTEL_RESOURCE_ATTRIBUTES";
  const Result<NamedTexts> named = read_pairs(kAttributes, variables(kAttributes).value_or(""));
  if (named.ok())
    resource.insert(resource.end(), named->begin(), named->end());
  else
    MM_RETURN_IF_ERROR(settle(named.status(), asked, config));
  if (const auto name = variables("OTEL_SERVICE_NAME"); name && !name->empty())
    resource.emplace_back("service.name", *name);
  resource.insert(resource.end(), config.given.resource.begin(), config.given.resource.end());
  return ok_status();
}

/// What OpenTelemetry calls a sampler; nullopt: none that is known. A share of nullopt: its argument says it.
struct Sampler {
  const char* name;
  SpanSampling::Caller caller;
  std::optional<double> share;
};
constexpr Sampler kSamplers[] = {
    {"always_on", SpanSampling::Caller::kIgnored, 1},
    {"always_off", SpanSampling::Caller::kIgnored, 0},
    {"traceidratio", SpanSampling::Caller::kIgnored, std::nullopt},
    {"parentbased_always_on", SpanSampling::Caller::kFollowed, 1},
    {"parentbased_always_off", SpanSampling::Caller::kFollowed, 0},
    {"parentbased_traceidratio", SpanSampling::Caller::kFollowed, std::nullopt},
};

/// What isn't understood is passed over, as OpenTelemetry wants it.
void take_sampler(const Variables& variables, TraceConfig& config) {
  const std::string name = variables(std::string(kSampler)).value_or("");
  if (name.empty()) return;
  const auto* const sampler =
      std::find_if(std::begin(kSamplers), std::end(kSamplers), [&](const Sampler& one) { return name == one.name; });
  if (sampler == std::end(kSamplers)) {
    config.warnings.push_back(std::string(kSampler) + " names no sampler that is known here, '" + name + "'");
    return;
  }
  double share = 1;
  const std::string argument = variables(std::string(kSampler) + "_ARG").value_or("");
  if (!sampler->share && !argument.empty()) {
    char* end = nullptr;
    const double number = std::strtod(argument.c_str(), &end);
    if (*end == '\0' && number >= 0 && number <= 1)
      share = number;
    else
      config.warnings.push_back(std::string(kSampler) + "_ARG is no share from 0 to 1, '" + argument + "'");
  }
  config.sampling = {sampler->caller, sampler->share.value_or(share)};
}

/// Whether the environment wants no traces at all.
bool is_switched_off(const Variables& variables) {
  std::string disabled = variables("OTEL_SDK_DISABLED").value_or("");
  for (char& c : disabled) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return disabled == "true" || variables("OTEL_TRACES_EXPORTER").value_or("") == "none";
}

/// The collector that the environment names; empty: none that could be spoken to.
Variable find_collector(const Variables& variables, TraceConfig& config) {
  Variable endpoint = find(variables, "ENDPOINT");
  if (endpoint.text.empty()) return endpoint;
  const Variable protocol = find(variables, "PROTOCOL");
  if (!protocol.text.empty() && protocol.text != "http/protobuf") {
    config.warnings.push_back(protocol.name + "=" + protocol.text + ", so nothing is sent to the collector of " +
                              endpoint.name +
                              ": OTLP is spoken as http/protobuf alone, which collectors take at port 4318");
    return {};
  }
  // The one of all signals is where their paths begin.
  if (endpoint.name == "OTEL_EXPORTER_OTLP_ENDPOINT") {
    while (endpoint.text.ends_with('/')) endpoint.text.pop_back();
    endpoint.text += "/v1/traces";
  }
  return endpoint;
}

/// Where spans go, unless that is said; traces begin where the environment alone says it.
Status take_collector(const Variables& variables, TraceConfig& config) {
  if (config.given.url.empty()) {
    const Variable named = find_collector(variables, config);
    if (!named.text.empty()) {
      const Status status =
          config.opentelemetry ? set_collector(named.text, config.collector) : trace_to_collector(named.text, config);
      if (!status.ok()) return wrong(named.name, status.message());
    }
  }
  return config.opentelemetry ? take_certificate(variables, config.collector) : ok_status();
}

Status take_all(const Variables& variables, bool may_begin, TraceConfig& config) {
  const bool asked = config.opentelemetry;
  TraceConfig begun = config;
  if (Status status = take_collector(variables, begun); !status.ok()) {
    if (asked) return status;
    config.warnings.push_back(status.message() + "; so nothing is sent");
    return ok_status();
  }
  config = std::move(begun);
  if (!config.opentelemetry) return ok_status();
  MM_RETURN_IF_ERROR(settle(take_headers(variables, config.collector), asked, config));
  MM_RETURN_IF_ERROR(settle(take_timeout(variables, config.collector), asked, config));
  MM_RETURN_IF_ERROR(take_batches(variables, asked, config));
  MM_RETURN_IF_ERROR(take_resource(variables, asked, config));
  config.collector.scope_version = server_version();
  if (may_begin) take_sampler(variables, config);
  return ok_status();
}

}  // namespace

Status apply_trace_environment(const Variables& variables, bool may_begin, TraceConfig& config) {
  // Files and secrets that values come from often end with a line.
  const Variables plain = [&](const std::string& name) {
    auto text = variables(name);
    if (text) *text = std::string(trimmed(*text));
    return text;
  };
  if (!config.opentelemetry && (!may_begin || !config.file.empty() || is_switched_off(plain))) return ok_status();
  return take_all(plain, may_begin, config);
}

}  // namespace modelmill
