#pragma once

#include <string_view>

#include "base/status.h"
#include "cli/command_line.h"

namespace modelmill {

/// Each runs its command to the end and returns the process's exit code.
ExitCode run(const ServeCommand& command);
ExitCode run(const PredictCommand& command);
ExitCode run(const ModelsCommand& command);
ExitCode run(const ExplainCommand& command);
ExitCode run(const RouteCommand& command);
ExitCode run(const RolloutCommand& command);
ExitCode run(const ExperimentCommand& command);
ExitCode run(const EnsembleCommand& command);
ExitCode run(const TopCommand& command);
ExitCode run(const DoctorCommand& command);
ExitCode run(const LintCommand& command);
ExitCode run(const MigrateCommand& command);
ExitCode run(const VerifyCommand& command);
ExitCode run(const NewCommand& command);

/// Prints "modelmill COMMAND: message" on standard error and returns `exit_code`.
ExitCode fail(std::string_view command, const Status& status, ExitCode exit_code);

/// What a call of a server or model that ended so means for the exit code.
ExitCode exit_code_of(const Status& status);

}  // namespace modelmill
