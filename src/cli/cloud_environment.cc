#include "cli/cloud_environment.h"

#include <charconv>
#include <string>

namespace modelmill {

Result<int> vertex_port(const Variables& variables) {
  const std::string text = variables("AIP_HTTP_PORT").value_or("");
  if (text.empty()) return 0;
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc() && end == text.data() + text.size() && port > 0 && port <= 65'535) return port;
  return invalid_argument("AIP_HTTP_PORT in the environment is '" + text + "', and no port from 1 to 65535");
}

Status apply_cloud_environment(const Variables& variables, const AddressOptions& given, ServerConfig& config) {
  config.cloud_routes = {variables("AIP_HEALTH_ROUTE").value_or(""), variables("AIP_PREDICT_ROUTE").value_or("")};
  if (given.port || !config.listen.empty()) return ok_status();
  MM_ASSIGN_OR_RETURN(const int port, vertex_port(variables));
  if (port == 0) return ok_status();
  config.port = port;
  if (!given.host) config.host = "0.0.0.0";
  return ok_status();
}

}  // namespace modelmill
