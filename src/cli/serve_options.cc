#include "cli/serve_options.h"

#include <CLI/Error.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/duration_text.h"
#include "cli/access_options.h"
#include "cli/control_options.h"
#include "cli/personality/ts_config_option.h"
#include "cli/python_options.h"
#include "cli/resource_options.h"
#include "lifecycle/runtime_precisions.h"
#include "server/metrics_config.h"

namespace modelmill {
namespace {

const Choices<LogLevel> kLogLevels = {{"debug", LogLevel::kDebug},
                                      {"info", LogLevel::kInfo},
                                      {"warning", LogLevel::kWarning},
                                      {"error", LogLevel::kError},
                                      {"off", LogLevel::kOff}};
const Choices<wire::TlsOptions::ClientCertificate> kClientAuth = {
    {"require", wire::TlsOptions::ClientCertificate::kRequire},
    {"request", wire::TlsOptions::ClientCertificate::kRequest}};
const Choices<wire::TlsOptions::Version> kTlsVersions = {{"1.2", wire::TlsOptions::Version::k12},
                                                         {"1.3", wire::TlsOptions::Version::k13}};
const Choices<LogFormat> kLogFormats = {{"text", LogFormat::kText}, {"json", LogFormat::kJson}};
const Choices<wire::GrpcCompression> kGrpcCompressions = {{"off", wire::GrpcCompression::kOff},
                                                          {"mirror", wire::GrpcCompression::kMirror},
                                                          {"always", wire::GrpcCompression::kAlways}};

void read_endpoints(const std::vector<std::string>& texts, std::vector<wire::Endpoint>& into) {
  into.clear();
  for (const std::string& text : texts) {
    auto endpoint = wire::parse_endpoint(text);
    if (!endpoint.ok()) throw CLI::ValidationError("--listen", endpoint.status().message());
    into.push_back(*std::move(endpoint));
  }
}

void define_network(CLI::App& app, OptionSet& options, ServerConfig& config) {
  constexpr char kGroup[] = "Network";
  CLI::Option* host = app.add_option(
      "--host", config.host, "Address to listen on, or a name for each of its addresses; 0.0.0.0 for all [127.0.0.1]");
  host->type_name("HOST")->group(kGroup);
  CLI::Option* port = app.add_option("--port", config.port, "Port of HTTP and gRPC; 0 takes a free one [8000]");
  port->type_name("PORT")->group(kGroup);
  // What --ts-config says of addresses gives way.
  for (CLI::Option* const option : {host, port}) option->each([&config](const std::string&) { config.listen.clear(); });
  app.add_option_function<std::vector<std::string>>(
         "--listen", [&config](const std::vector<std::string>& texts) { read_endpoints(texts, config.listen); },
         "Listen here instead: HOST:PORT, with http:// or https:// before it or not, or unix:PATH; may be repeated")
      ->type_name("ADDRESS")
      ->allow_extra_args(false)
      ->excludes(host)
      ->excludes(port)
      ->group(kGroup);
  app.add_option_function<std::string>(
         "--forward-headers",
         [&config](const std::string& pattern) { config.forward_headers = config.forward_metadata = pattern; },
         "Give models the headers of V2 requests, and metadata over gRPC, whose names match this regular expression, "
         "as "
         "parameters")
      ->type_name("PATTERN")
      ->group(kGroup);
  app.add_option("--io-threads", config.io_threads, "Event loops; 0 chooses: one a core, at most 8")
      ->type_name("N")
      ->group(kGroup);
  options
      .add_choice(app, "--grpc-compression", kGrpcCompressions, config.grpc_compression,
                  "gRPC answers that are compressed: none, those to compressed calls, or all whose caller accepts it "
                  "[mirror]")
      ->group(kGroup);
  options
      .add_seconds(app, "--drain-delay", config.drain_delay,
                   "How long to serve on at a stop, no longer ready, so that load balancers turn away")
      ->group(kGroup);
  options.add_seconds(app, "--drain-timeout", config.drain_timeout, "How long requests may take to finish at a stop")
      ->group(kGroup);
}

void define_tls(CLI::App& app, OptionSet& options, ServerConfig& config) {
  constexpr char kGroup[] = "TLS";
  const auto add_file = [&](const std::string& name, std::string& into, const std::string& description) {
    options.takes_file(app.add_option(name, into, description))->type_name("FILE")->group(kGroup);
  };
  add_file("--tls-cert", config.tls.certificate,
           "Speak TLS, with this certificate (PEM, its chain after it); read again when it changes");
  add_file("--tls-key", config.tls.key, "The certificate's private key (PEM, without a password)");
  add_file("--tls-client-ca", config.tls.client_ca, "Clients need a certificate that one of these has signed");
  options
      .add_choice(app, "--tls-client-auth", kClientAuth, config.tls.client_certificate,
                  "Whether a client without a certificate is refused [require]")
      ->group(kGroup);
  options
      .add_choice(app, "--tls-min-version", kTlsVersions, config.tls.min_version, "The oldest TLS that is spoken [1.2]")
      ->group(kGroup);
}

/// "20ms", or "MODEL=20ms".
void read_objectives(const std::vector<std::string>& texts, std::map<std::string, std::chrono::microseconds>& into) {
  into.clear();
  for (const std::string& text : texts) {
    const size_t equals = text.rfind('=');
    const std::string model = equals == std::string::npos ? "" : text.substr(0, equals);
    const auto objective = parse_duration(std::string_view(text).substr(equals == std::string::npos ? 0 : equals + 1));
    if (!objective.ok()) throw CLI::ValidationError("--objective-p99", objective.status().message());
    if (!into.emplace(model, *objective).second)
      throw CLI::ValidationError("--objective-p99",
                                 "is given twice for " + (model.empty() ? "all models" : "'" + model + "'"));
  }
}

/// "4", or "1..4".
void read_instances(const std::string& text, ServerConfig& config) {
  const auto number = [&text](std::string_view part, int& into) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), into);
    if (error != std::errc() || end != part.data() + part.size())
      throw CLI::ValidationError("--instances", "'" + text + "' is not a number, nor a range such as 1..4");
  };
  const size_t dots = text.find("..");
  config.max_instances = 0;
  number(std::string_view(text).substr(0, dots), config.instances);
  if (dots == std::string::npos) return;
  number(std::string_view(text).substr(dots + 2), config.max_instances);
  if (config.max_instances < std::max(1, config.instances))
    throw CLI::ValidationError("--instances", "'" + text + "' must not end below its beginning, nor below 1");
}

void read_precisions(const std::string& text, ServerConfig& config) {
  auto precisions = parse_precisions(text);
  if (!precisions.ok()) throw CLI::ValidationError("--runtime-precisions", precisions.status().message());
  config.runtime_precisions = *std::move(precisions);
}

void define_runtime(CLI::App& app, ServerConfig& config) {
  constexpr char kGroup[] = "Models";
  app.add_option(
         "--runtime", config.runtime,
         "What runs models that several runtimes can run: auto, the fastest, found by measurement while they are "
         "served; default, the one that the file stands for; or a backend's name, as openvino, or openvino:bf16 [auto]")
      ->type_name("auto|default|BACKEND")
      ->group(kGroup);
  CLI::Option* tolerance =
      app.add_option("--runtime-tolerance", config.runtime_tolerance,
                     "By how much answers of another runtime may differ, relative to an output's largest value [1e-4]")
          ->check(CLI::Range(0.0, 1.0).description(""))
          ->type_name("PART")
          ->group(kGroup);
  app.add_option_function<std::string>(
         "--runtime-precisions", [&config](const std::string& text) { read_precisions(text, config); },
         "Lower precisions than models' own that auto may choose, within that tolerance: bf16, fp16, int8")
      ->type_name("LIST")
      ->needs(tolerance)
      ->group(kGroup);
}

constexpr char kModelsGroup[] = "Models";

/// How many copies of models run, and what runs them.
void define_instances(CLI::App& app, ServerConfig& config) {
  constexpr const char* kGroup = kModelsGroup;
  app.add_option_function<std::string>(
         "--instances", [&config](const std::string& text) { read_instances(text, config); },
         "Copies of each model that run side by side; 0 chooses; MIN..MAX: as many as the load needs")
      ->type_name("N|MIN..MAX")
      ->group(kGroup);
  app.add_option_function<std::string>(
         "--scale-to-zero-after",
         [&config](const std::string& text) {
           const auto time = parse_duration(text);
           if (!time.ok()) throw CLI::ValidationError("--scale-to-zero-after", time.status().message());
           config.scale_to_zero_after = *time;
         },
         "A model that was idle for so long, such as 600s, has no instance until it is asked again")
      ->type_name("TIME")
      ->group(kGroup);
  app.add_option("--instance-threads", config.instance_threads, "Threads inside each copy; 0 chooses")
      ->type_name("N")
      ->group(kGroup);
  define_runtime(app, config);
  app.add_option_function<std::vector<std::string>>(
         "--objective-p99",
         [&config](const std::vector<std::string>& texts) { read_objectives(texts, config.objectives); },
         "The time within which 99 of 100 requests are to be answered, such as 20ms; MODEL=20ms for one model; may be "
         "repeated")
      ->type_name("[MODEL=]TIME")
      ->allow_extra_args(false)
      ->group(kGroup);
}

/// Folders and files that say more of models.
void define_model_files(CLI::App& app, OptionSet& options, ServerConfig& config) {
  constexpr const char* kGroup = kModelsGroup;
  options
      .takes_file(app.add_option_function<std::string>(
          "--state-dir",
          [&config](const std::string& folder) {
            config.state_directory = folder;
            config.keep_decisions = true;
          },
          "Where the server keeps what should outlast it: what it learned of its models, a token that it made because "
          "one was needed and none given; and, in a folder that is named here, what clients loaded, unloaded and "
          "labelled"))
      ->type_name("FOLDER")
      ->group(kGroup);
  options
      .takes_file(app.add_option("--model-config-file", config.model_config_file,
                                 "Serve the models that this model_config_file of TensorFlow Serving lists"))
      ->type_name("FILE")
      ->group(kGroup);
  options
      .takes_file(app.add_option("--batching-parameters-file", config.batching_parameters_file,
                                 "Batch models as this batching_parameters_file of TensorFlow Serving says"))
      ->type_name("FILE")
      ->group(kGroup);
  define_ts_config_option(app, options, config).group(kGroup);
  app.add_option("--model-config-name", config.model_config_name,
                 "Configure models that have a configs/NAME.pbtxt by that")
      ->type_name("NAME")
      ->group(kGroup);
  app.add_option("--default-model", config.default_model,
                 "The model or route of requests to /invocations that name none; else the only model")
      ->type_name("MODEL")
      ->group(kGroup);
}

/// How much models' work may be at a time.
void define_queues(CLI::App& app, ServerConfig& config) {
  constexpr const char* kGroup = kModelsGroup;
  app.add_option("--load-threads", config.load_threads, "Models that are loaded side by side [2]")
      ->type_name("N")
      ->group(kGroup);
  app.add_option("--max-queue-size", config.max_queue_requests, "Requests that may wait for each model [16384]")
      ->type_name("N")
      ->group(kGroup);
  app.add_option("--max-queue-bytes", config.max_queue_bytes, "Bytes of them [4294967296]")
      ->type_name("BYTES")
      ->group(kGroup);
  app.add_option("--response-cache-bytes", config.response_cache.bytes,
                 "Keep answers of models that want it (response_cache) and give them again to who asks the same: what "
                 "they may take, with the inputs that they belong to, such as 1GiB [answers are not kept]")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("BYTES")
      ->group(kGroup);
  app.add_option("--response-cache-entries", config.response_cache.entries,
                 "How many answers may be kept; by itself within 1GiB [as many as there is room for]")
      ->type_name("N")
      ->group(kGroup);
  app.add_option("--shadow-requests", config.shadows.requests,
                 "Copies of requests that may be on their way to routes' shadows together [256]")
      ->type_name("N")
      ->group(kGroup);
  app.add_option("--shadow-bytes", config.shadows.bytes, "Bytes that they may hold [67108864]")
      ->type_name("BYTES")
      ->group(kGroup);
}

void define_limits(CLI::App& app, OptionSet& options, ServerConfig& config) {
  constexpr char kGroup[] = "Limits";
  wire::Limits& limits = config.limits;
  const auto add = [&](const char* name, auto& into, const char* type, const std::string& description) {
    app.add_option(name, into, description + " [" + std::to_string(into) + "]")->type_name(type)->group(kGroup);
  };
  const auto add_timeout = [&](const char* name, std::chrono::milliseconds& into, const std::string& description) {
    options.add_seconds(app, name, into, description + "; 0 for ever")->group(kGroup);
  };
  add("--max-connections", limits.connections, "N", "Connections open at once");
  add("--max-streams", limits.streams_per_connection, "N", "Requests open at once on an HTTP/2 connection");
  add("--max-header-bytes", limits.header_bytes, "BYTES", "Of a request's headers");
  add("--max-headers", limits.header_count, "N", "Headers of a request");
  add("--max-body-bytes", limits.http_body, "BYTES", "Of an HTTP request's body");
  add("--max-message-bytes", limits.grpc_message, "BYTES", "Of a gRPC request's message, below 2 GiB");
  add("--max-inflated-bytes", limits.inflated, "BYTES", "What a compressed body or message may inflate to");
  add("--max-unsent-bytes", limits.unsent, "BYTES",
      "Of replies that wait in an HTTP/2 connection beside its largest; beyond, its requests are refused");
  add_timeout("--idle-timeout", limits.idle_timeout, "How long a connection may be without a request");
  add_timeout("--header-timeout", limits.header_timeout, "How long a request's headers may take to come");
  add_timeout("--stall-timeout", limits.stall_timeout,
              "How long a body may come, or a reply be read, at less than 1 KiB a second");
  add_timeout(
      "--max-connection-age", limits.connection_age,
      "How long a connection of HTTP/2 lives, a tenth more or less, until its client is asked to connect again");
  add_timeout("--max-connection-age-grace", limits.connection_age_grace,
              "What its requests may take from then on, before they are cut");
  add_timeout("--tls-handshake-timeout", limits.tls_handshake_timeout, "How long a TLS handshake may take");
}

void define_log(CLI::App& app, OptionSet& options, ServerConfig& config) {
  constexpr char kGroup[] = "Log";
  options.add_choice(app, "--log-level", kLogLevels, config.log_level, "What is logged to standard error [info]")
      ->group(kGroup);
  options.add_choice(app, "--log-format", kLogFormats, config.log_format, "Lines for people or for machines [text]")
      ->group(kGroup);
  app.add_option_function<std::vector<std::string>>(
         "--trace-config",
         [&config](const std::vector<std::string>& texts) {
           for (const std::string& text : texts)
             if (const Status status = add_trace_setting(text, config.trace); !status.ok())
               throw CLI::ValidationError("--trace-config", status.message());
         },
         "Trace requests as Triton does: level=TIMESTAMPS or TENSORS, rate=N (one of N requests), count=N, "
         "triton,file=FILE, triton,log-frequency=N; mode=opentelemetry, opentelemetry,url=URL, "
         "opentelemetry,resource=KEY=VALUE; may be repeated")
      ->type_name("SETTING=VALUE")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option_function<std::string>(
         "--trace-otlp",
         [&config](const std::string& url) {
           if (const Status status = trace_to_collector(url, config.trace); !status.ok())
             throw CLI::ValidationError("--trace-otlp", status.message());
         },
         "Send OpenTelemetry's spans of requests to this collector, by OTLP over HTTP, such as http://127.0.0.1:4318")
      ->type_name("URL")
      ->group(kGroup);
  app.add_option_function<std::vector<std::string>>(
         "--metrics-config",
         [&config](const std::vector<std::string>& texts) {
           for (const std::string& text : texts)
             if (const Status status = add_metrics_setting(text, config.series); !status.ok())
               throw CLI::ValidationError("--metrics-config", status.message());
         },
         "Which metrics of times there are, as Triton's: counter_latencies=BOOL, histogram_latencies=BOOL, "
         "summary_latencies=BOOL, summary_quantiles=QUANTILE:ERROR,...; may be repeated")
      ->type_name("SETTING=VALUE")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_flag("--server-timing", config.server_timing, "Say in each answer where its time went")->group(kGroup);
  app.add_flag("--access-log", config.access_log, "Log each request")->group(kGroup);
}

}  // namespace

void define_serve_options(CLI::App& app, OptionSet& options, ServerConfig& config) {
  options
      .takes_file(app.add_option(
          "PATH", config.paths,
          "Model files (x.onnx is model 'x', version 1), Python files with a model, model folders, archives "
          "of them, folders of models, or a modelmill.yaml; NAME=PATH gives a model another name"))
      ->type_name("PATH");
  define_network(app, options, config);
  define_tls(app, options, config);
  define_instances(app, config);
  define_model_files(app, options, config);
  define_queues(app, config);
  define_control_options(app, options, config.control);
  define_resource_options(app, options, config.resources);
  define_python_options(app, options, config);
  options.add_backend_options(app, config);
  define_limits(app, options, config);
  define_access_options(app, options, config);
  define_log(app, options, config);
}

}  // namespace modelmill
