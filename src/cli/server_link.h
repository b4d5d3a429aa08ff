#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "client/http_client.h"
#include "server/server_config.h"

namespace modelmill {

/// Whom a command talks to: a server at a URL, or models loaded in this process, which answer the same calls through
/// the same dialects but without a network. For one thread.
class ServerLink {
 public:
  virtual ~ServerLink() = default;

  /// An HTTP call; `path` begins with '/'. Errors are those of the way there, as HttpClient::call() tells them.
  virtual Result<ClientReply> call(std::string_view method, std::string_view path, HttpClient::Headers headers,
                                   std::string body) = 0;
};

/// The token that a command sends: the first of `file`; without a file the environment's MODELMILL_TOKEN, or none.
Result<std::string> client_token(const std::string& file);

struct ConnectOptions {
  std::chrono::seconds timeout{300};
  std::string ca_file;  // the authorities to trust with https; empty: the system's
  std::string token;    // sent with every call; empty: none
};

/// A link to the server at `url`.
Result<std::unique_ptr<ServerLink>> connect_server(const std::string& url, ConnectOptions connect);

/// A link to the server that the options of a command name.
template <typename AskingCommand>
Result<std::unique_ptr<ServerLink>> link_to(const AskingCommand& command) {
  MM_ASSIGN_OR_RETURN(std::string token, client_token(command.token_file));
  return connect_server(command.server, {command.timeout, command.ca, std::move(token)});
}

/// Loads config.paths in this process. The error says why nothing could be loaded.
Result<std::unique_ptr<ServerLink>> load_models(const ServerConfig& config);

/// The reply's body when its status is 200; else the server's own error message under the code nearest to the status.
Result<std::string> body_of(Result<ClientReply> reply);

}  // namespace modelmill
