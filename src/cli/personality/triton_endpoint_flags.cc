#include <algorithm>
#include <cctype>

#include "cli/personality/flag_value.h"
#include "cli/personality/triton_draft.h"

namespace modelmill::personality {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

Status set_max_input(TritonDraft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(const int64_t bytes, read_long(text));
  if (bytes <= 0) return invalid_argument("Error: --http-max-input-size must be greater than 0.");
  draft.launch.config.limits.http_body = static_cast<uint64_t>(bytes);
  draft.launch.config.http_inflated = static_cast<size_t>(bytes);
  return ok_status();
}

/// "inference,health:KEY=VALUE"
Status add_restrictions(TritonDraft& draft, const std::string& text, bool grpc) {
  const std::string what = grpc ? "protocol" : "api";
  const std::string flag = grpc ? "grpc-restricted-protocol" : "http-restricted-api";
  const size_t colon = text.find(':');
  const size_t equals = colon == std::string::npos ? colon : text.find('=', colon + 1);
  if (colon == std::string::npos || colon == 0 || equals == std::string::npos || equals == colon + 1 ||
      equals + 1 == text.size())
    return invalid_argument("--" + flag + " option format is '<" + what + "s>:<key>=<value>'. Got " + text);
  std::vector<Restriction>& restrictions = draft.launch.config.access.restrictions;
  const std::string header = (grpc ? "triton-grpc-protocol-" : "") + lower(text.substr(colon + 1, equals - colon - 1));
  for (size_t begin = 0; begin <= colon;) {
    const size_t end = std::min(text.find(',', begin), colon);
    const std::string name = text.substr(begin, end - begin);
    const auto kind = api_kind_named(name);
    if (!kind) return invalid_argument("unknown restricted " + what + " '" + name + "'");
    const bool twice = std::any_of(restrictions.begin(), restrictions.end(),
                                   [&](const Restriction& other) { return other.kind == *kind && other.grpc == grpc; });
    if (twice)
      return invalid_argument("restricted " + what + " '" + name + "' can not be specified in multiple config groups");
    restrictions.push_back({*kind, grpc, header, text.substr(equals + 1)});
    begin = end + 1;
  }
  return ok_status();
}

Status restrict_http(TritonDraft& draft, const std::string& text) { return add_restrictions(draft, text, false); }
Status restrict_grpc(TritonDraft& draft, const std::string& text) { return add_restrictions(draft, text, true); }

Status forward_headers(TritonDraft& draft, const std::string& text) {
  draft.launch.config.forward_headers = text;
  return ok_status();
}

Status forward_metadata(TritonDraft& draft, const std::string& text) {
  draft.launch.config.forward_metadata = text;
  return ok_status();
}

Status set_mutual_tls(TritonDraft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(draft.grpc_mutual_tls, read_bool(text));
  draft.grpc_tls = true;
  return ok_status();
}

Status check_infer_threads(TritonDraft& /*draft*/, const std::string& text) {
  MM_ASSIGN_OR_RETURN(const int count, read_integer(text));
  if (count >= 2 && count <= 128) return ok_status();
  return invalid_argument("invalid argument for --grpc_infer_thread_count. Must be in the range 2 to 128.");
}

Status check_response_pool(TritonDraft& /*draft*/, const std::string& text) {
  MM_ASSIGN_OR_RETURN(const int size, read_integer(text));
  if (size > 0) return ok_status();
  return invalid_argument("Error: --grpc-max-response-pool-size must be greater than 0.");
}

Status set_compression(TritonDraft& draft, const std::string& text) {
  const std::string level = lower(text);
  if (level != "none" && level != "low" && level != "medium" && level != "high")
    return invalid_argument("invalid argument for --grpc_infer_response_compression_level");
  draft.launch.config.grpc_compression = level == "none" ? wire::GrpcCompression::kOff : wire::GrpcCompression::kAlways;
  return ok_status();
}

constexpr std::string_view kEventLoops = "event loops serve every port: one a core, at most 8";
constexpr std::string_view kForwarded = "`--forward-headers`, of HTTP alone; the parameters have lower-case names";
constexpr std::string_view kForwardedMetadata = "`--forward-headers`, of gRPC alone";
constexpr std::string_view kReuse =
    "true: other servers that say so too may have the port at the same time, and the system gives each its share of "
    "the "
    "connections";
constexpr std::string_view kNoPools = "buffers come from a pool that sizes itself";
constexpr std::string_view kNoPings =
    "idle connections are closed after ten minutes, and dead ones by TCP's keepalive; clients' pings are answered "
    "unless they come in floods";
/// "8000-8100"
Status set_safe_ports(TritonDraft& draft, const std::string& text) {
  const size_t dash = text.find('-', 1);
  if (dash == std::string::npos)
    return invalid_argument("Cannot parse range '" + text + "': the form is MIN-MAX, such as 8000-8100");
  MM_ASSIGN_OR_RETURN(const int low, read_integer(text.substr(0, dash)));
  MM_ASSIGN_OR_RETURN(const int high, read_integer(text.substr(dash + 1)));
  if (low < 0 || high > 65'535 || low > high)
    return invalid_argument("'" + text + "' is no range of ports: it must go up, from 0 or more to 65535 at most");
  draft.safe_ports = {low, high};
  return ok_status();
}

std::vector<TritonFlag> cloud_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"allow-sagemaker", kBool, kSame,
        "`/ping` and `/invocations`, and with `SAGEMAKER_MULTI_MODEL=true` in the environment `/models`; "
        "`SAGEMAKER_TRITON_DEFAULT_MODEL_NAME` in the environment names the model",
        "false"},
       set_bool<&TritonDraft::allow_sagemaker>},
      {{"sagemaker-port", kInteger, kMapped,
        "`--listen`, another port for HTTP, with all its paths; of every address, or that of `MODELMILL_BIND` in the "
        "environment",
        "8080"},
       set_integer<&TritonDraft::sagemaker_port>},
      {{"sagemaker-safe-port-range", kText, kSame, "", "8000-8100"}, set_safe_ports},
      {{"sagemaker-thread-count", kInteger, kIgnored, kEventLoops, "8"}, check_integer<TritonDraft>},
      {{"allow-vertex-ai", kBool, kSame,
        "true by itself, and `--allow-http` and `--allow-grpc` false, where the environment has `AIP_MODE=PREDICTION`, "
        "as there",
        "false"},
       set_bool<&TritonDraft::allow_vertex>},
      {{"vertex-ai-port", kInteger, kMapped,
        "`--listen`, another port for HTTP, with all its paths and metrics; of every address, or that of "
        "`MODELMILL_BIND` in the environment; without this flag at `AIP_HTTP_PORT`",
        "8080"},
       set_integer<&TritonDraft::vertex_port>},
      {{"vertex-ai-thread-count", kInteger, kIgnored, kEventLoops, "8"}, check_integer<TritonDraft>},
      {{"vertex-ai-default-model", kText, kMapped,
        "`--default-model`; without it the only model, which is looked for when a request comes and not at the start",
        "identity"},
       set_text<&TritonDraft::vertex_model>},
  };
}

std::vector<TritonFlag> grpc_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"allow-grpc", kBool, kSame, "", "true"}, set_bool<&TritonDraft::allow_grpc>},
      {{"grpc-address", kText, kMapped, "`--listen`, a port for gRPC alone", "127.0.0.1"},
       set_text<&TritonDraft::grpc_address>},
      {{"grpc-port", kInteger, kMapped, "`--listen`, a port for gRPC alone", "8001"},
       set_integer<&TritonDraft::grpc_port>},
      {{"reuse-grpc-port", kBool, kSame, kReuse, "false"}, set_bool<&TritonDraft::reuse_grpc_port>},
      {{"grpc-header-forward-pattern", kText, kMapped, kForwardedMetadata, "x-.*"}, forward_metadata},
      {{"grpc-infer-thread-count", kInteger, kIgnored, kEventLoops, "2"}, check_infer_threads},
      {{"grpc-infer-allocation-pool-size", kInteger, kIgnored, kNoPools, "8"}, check_integer<TritonDraft>},
      {{"grpc-max-response-pool-size", kInteger, kIgnored, kNoPools, "8"}, check_response_pool},
      {{"grpc-use-ssl", kBool, kSame, "", "false"}, set_bool<&TritonDraft::grpc_tls>},
      {{"grpc-use-ssl-mutual", kBool, kSame, "any value turns `--grpc-use-ssl` on, as there", "true"}, set_mutual_tls},
      {{"grpc-server-cert", kText, kMapped, "`--tls-cert`, for the port for gRPC; read again when it changes",
        "server.crt"},
       set_text<&TritonDraft::server_cert>},
      {{"grpc-server-key", kText, kMapped, "`--tls-key`, for the port for gRPC", "server.key"},
       set_text<&TritonDraft::server_key>},
      {{"grpc-root-cert", kText, kMapped, "`--tls-client-ca`, with `--grpc-use-ssl-mutual`", "ca.crt"},
       set_text<&TritonDraft::root_cert>},
      {{"grpc-infer-response-compression-level", kText, kMapped,
        "`--grpc-compression`: `off` for none, `always` for the others, which have one level", "none"},
       set_compression},
      {{"grpc-keepalive-time", kInteger, kIgnored, kNoPings, "7200000"}, check_integer<TritonDraft>},
      {{"grpc-keepalive-timeout", kInteger, kIgnored, kNoPings, "20000"}, check_integer<TritonDraft>},
      {{"grpc-keepalive-permit-without-calls", kBool, kIgnored, kNoPings, "0"}, check_bool<TritonDraft>},
      {{"grpc-http2-max-pings-without-data", kInteger, kIgnored, kNoPings, "2"}, check_integer<TritonDraft>},
      {{"grpc-http2-min-recv-ping-interval-without-data", kInteger, kIgnored, kNoPings, "300000"},
       check_integer<TritonDraft>},
      {{"grpc-http2-max-ping-strikes", kInteger, kIgnored, kNoPings, "2"}, check_integer<TritonDraft>},
      {{"grpc-max-connection-age", kInteger, kMapped,
        "`--max-connection-age`, in milliseconds; of every connection of HTTP/2", "3600000"},
       set_integer<&TritonDraft::connection_age_ms>},
      {{"grpc-max-connection-age-grace", kInteger, kMapped, "`--max-connection-age-grace`, in milliseconds", "60000"},
       set_integer<&TritonDraft::connection_age_grace_ms>},
      {{"grpc-restricted-protocol", kText, kSame, "clients send the header `triton-grpc-protocol-KEY`, as there",
        "model-repository:admin-key=secret"},
       restrict_grpc},
  };
}

}  // namespace

std::vector<TritonFlag> triton_endpoint_flags() {
  using enum FlagValue;
  using enum Taken;
  std::vector<TritonFlag> flags = {
      {{"allow-http", kBool, kSame, "", "true"}, set_bool<&TritonDraft::allow_http>},
      {{"http-address", kText, kMapped, "`--listen`, a port for HTTP alone", "127.0.0.1"},
       set_text<&TritonDraft::http_address>},
      {{"http-port", kInteger, kMapped, "`--listen`, a port for HTTP alone", "8000"},
       set_integer<&TritonDraft::http_port>},
      {{"reuse-http-port", kBool, kSame, kReuse, "false"}, set_bool<&TritonDraft::reuse_http_port>},
      {{"http-header-forward-pattern", kText, kMapped, kForwarded, "x-.*"}, forward_headers},
      {{"http-thread-count", kInteger, kIgnored, kEventLoops, "8"}, check_integer<TritonDraft>},
      {{"http-max-input-size", kInteger, kMapped, "`--max-body-bytes`, also of what a compressed body inflates to",
        "67108864"},
       set_max_input},
      {{"http-restricted-api", kText, kSame, "", "model-repository:admin-key=secret"}, restrict_http},
  };
  const std::vector<TritonFlag> grpc = grpc_flags();
  flags.insert(flags.end(), grpc.begin(), grpc.end());
  const std::vector<TritonFlag> cloud = cloud_flags();
  flags.insert(flags.end(), cloud.begin(), cloud.end());
  return flags;
}

}  // namespace modelmill::personality
