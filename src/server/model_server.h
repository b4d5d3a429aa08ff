#pragma once

#include <memory>

#include "base/status.h"
#include "server/server_config.h"

namespace modelmill {

/// The whole server: the one place where planes, dialects and wire meet, and the order of start and stop.
///   start: loops, listener (live, not ready), models (ready when all are loaded), announcement on standard output
///   stop:  not ready, listener closed, requests in flight answered, models unloaded, loops ended
/// Made and run on the main thread, one in a process.
class ModelServer {
 public:
  explicit ModelServer(ServerConfig config);
  ~ModelServer();
  ModelServer(const ModelServer&) = delete;
  ModelServer& operator=(const ModelServer&) = delete;

  /// Begins to listen. ALREADY_EXISTS when the port is taken.
  Status start();

  /// Loads the models, prints the announcement, and serves until SIGTERM or SIGINT; then stops in order. An error when
  /// the paths are unusable or no model at all could be loaded. A signal while models load ends the process with 0.
  Status run_until_signal();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill
