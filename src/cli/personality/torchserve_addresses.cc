#include "cli/personality/torchserve_addresses.h"

#include <algorithm>
#include <cctype>
#include <regex>

namespace modelmill {
namespace {

struct Address {
  bool tls = false;
  std::string text;  // as --listen has it
  wire::Services serves;
};

constexpr wire::Services kNothing{
    .http = false, .grpc = false, .metrics = false, .inference = false, .management = false};

wire::Services both(const wire::Services& a, const wire::Services& b) {
  return {.http = a.http || b.http,
          .grpc = a.grpc || b.grpc,
          .metrics = a.metrics || b.metrics,
          .inference = a.inference || b.inference,
          .management = a.management || b.management};
}

/// "http://HOST[:PORT]", "https://HOST[:PORT]" or "unix:/PATH".
Result<Address> read_address(std::string_view key, const std::string& value, int port, int tls_port) {
  static const std::regex kForm("(https?)://([^:/]+)(?::([0-9]+))?/?", std::regex::icase);
  if (value.starts_with("unix:/")) return Address{false, value, {}};
  std::smatch parts;
  if (!std::regex_match(value, parts, kForm))
    return invalid_argument("'" + std::string(key) + "' is no address: '" + value +
                            "'; write it as http://127.0.0.1:8080, https://127.0.0.1:8443 or unix:/tmp/serve.sock");
  Address address;
  address.tls = parts[1].length() == 5;
  const std::string written = parts[3].matched ? parts[3].str() : std::to_string(address.tls ? tls_port : port);
  address.text = (address.tls ? "https://" : "http://") + parts[2].str() + ":" + written;
  return address;
}

const std::string* find(const Properties& properties, std::string_view key) {
  const auto found = properties.find(key);
  return found == properties.end() || found->second.empty() ? nullptr : &found->second;
}

/// Of one of the gRPC services: its host and port, either of which may be said alone.
void add_grpc(const Properties& properties, const std::string& service, const char* port,
              std::vector<Address>& addresses) {
  const std::string* const host = find(properties, "grpc_" + service + "_address");
  const std::string* const said = find(properties, "grpc_" + service + "_port");
  if (host == nullptr && said == nullptr) return;
  const std::string* const ssl = find(properties, "enable_grpc_ssl");
  const bool tls = ssl != nullptr && is_java_true(*ssl);
  wire::Services serves = kNothing;
  serves.grpc = true;
  (service == "inference" ? serves.inference : serves.management) = true;
  addresses.push_back({tls,
                       (tls ? "https://" : "http://") + (host == nullptr ? "127.0.0.1" : *host) + ":" +
                           (said == nullptr ? port : *said),
                       serves});
}

}  // namespace

Status put_addresses(const Properties& properties, TorchServeTranslation& out) {
  struct Known {
    const char* key;
    int port, tls_port;  // of an address that names none
    wire::Services serves;
  };
  constexpr wire::Services kInference{.http = true, .grpc = false, .metrics = false, .management = false};
  constexpr wire::Services kManagement{.http = true, .grpc = false, .metrics = false, .inference = false};
  constexpr wire::Services kMetrics{.http = false, .grpc = false, .inference = false, .management = false};
  std::vector<Address> addresses;
  for (const Known& known :
       {Known{"inference_address", 80, 443, kInference}, Known{"management_address", 8081, 8444, kManagement},
        Known{"metrics_address", 8082, 8445, kMetrics}}) {
    const std::string* const value = find(properties, known.key);
    if (value == nullptr) continue;
    MM_ASSIGN_OR_RETURN(Address address, read_address(known.key, *value, known.port, known.tls_port));
    address.serves = known.serves;
    addresses.push_back(std::move(address));
  }
  add_grpc(properties, "inference", "7070", addresses);
  add_grpc(properties, "management", "7071", addresses);
  bool tls = false;
  for (const Address& address : addresses) {
    const std::string argument = "--listen=" + address.text;
    tls = tls || address.tls;
    const auto same = std::find(out.arguments.begin(), out.arguments.end(), argument);
    if (same == out.arguments.end()) {
      out.arguments.push_back(argument);
      out.services.push_back(address.serves);
    } else {
      wire::Services& serves = out.services[static_cast<size_t>(same - out.arguments.begin())];
      serves = both(serves, address.serves);
    }
  }
  if (!tls) return ok_status();
  const std::string* const certificate = find(properties, "certificate_file");
  const std::string* const key = find(properties, "private_key_file");
  if (certificate == nullptr || key == nullptr)
    return invalid_argument(std::string("an address speaks TLS, which needs 'certificate_file' and "
                                        "'private_key_file'") +
                            (find(properties, "keystore") != nullptr
                                 ? "; write them from the keystore: openssl pkcs12 -in KEYSTORE -nodes -out both.pem"
                                 : ""));
  out.arguments.push_back("--tls-cert=" + *certificate);
  out.arguments.push_back("--tls-key=" + *key);
  return ok_status();
}

std::optional<std::vector<std::string>> url_prefixes(std::string_view expression) {
  std::vector<std::string> out;
  while (true) {
    const size_t bar = expression.find('|');
    std::string_view one = expression.substr(0, bar);
    if (!one.ends_with(".*")) return std::nullopt;
    one.remove_suffix(2);
    std::vector<std::string> prefixes;
    if (one.starts_with("http(s)?") || one.starts_with("https?")) {
      one.remove_prefix(one.starts_with("https?") ? 6 : 8);
      prefixes = {"http", "https"};
    } else {
      prefixes = {""};
    }
    for (size_t i = 0; i < one.size(); ++i) {
      if (one[i] == '\\' && i + 1 < one.size() && std::ispunct(static_cast<unsigned char>(one[i + 1])) != 0)
        ++i;
      else if (std::string_view("\\*+?()[]{}^$").find(one[i]) != std::string_view::npos)
        return std::nullopt;
      for (std::string& prefix : prefixes) prefix += one[i];
    }
    if (!prefixes.front().starts_with("file:")) out.insert(out.end(), prefixes.begin(), prefixes.end());
    if (bar == std::string_view::npos) return out;
    expression.remove_prefix(bar + 1);
  }
}

}  // namespace modelmill
