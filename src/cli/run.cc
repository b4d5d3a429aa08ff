#include "cli/run.h"

#include <cstdio>
#include <variant>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/completion.h"

namespace modelmill {
namespace {

ExitCode run(const ParsedAnswer& answer) {
  std::fputs(answer.text.c_str(), answer.exit_code == ExitCode::kOk ? stdout : stderr);
  return answer.exit_code;
}

ExitCode run(const CompletionCommand& command) {
  std::fputs(completion_script(command.shell).c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace

ExitCode fail(std::string_view command, const Status& status, ExitCode exit_code) {
  std::fprintf(stderr, "modelmill %.*s: %s\n", static_cast<int>(command.size()), command.data(),
               status.message().c_str());
  return exit_code;
}

ExitCode exit_code_of(const Status& status) {
  switch (status.code()) {
    case Code::kOk: return ExitCode::kOk;
    case Code::kUnavailable:
    case Code::kDeadlineExceeded: return ExitCode::kUnreachable;
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
    case Code::kFailedPrecondition:
    case Code::kUnimplemented:
    case Code::kNotFound: return ExitCode::kRefused;
    default: return ExitCode::kFailure;
  }
}

int run_command_line(const std::vector<std::string>& arguments) {
  const Command parsed = parse_command_line(arguments);
  ExitCode exit_code = std::visit([](const auto& command) { return run(command); }, parsed);
  if (std::fflush(stdout) != 0 && exit_code == ExitCode::kOk) exit_code = ExitCode::kFailure;
  return static_cast<int>(exit_code);
}

}  // namespace modelmill
