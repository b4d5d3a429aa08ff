#include "base/log.h"
#include "cli/commands.h"
#include "server/model_server.h"

namespace modelmill {

ExitCode run(const ServeCommand& command) {
  Log::configure({command.config.log_level, command.config.log_format, 2});
  ModelServer server(command.config);
  if (const Status status = server.start(); !status.ok()) return fail("serve", status, ExitCode::kFailure);
  if (const Status status = server.run_until_signal(); !status.ok()) return fail("serve", status, ExitCode::kFailure);
  return ExitCode::kOk;
}

}  // namespace modelmill
