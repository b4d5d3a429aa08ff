#include "cli/run.h"

#include <cstdio>
#include <variant>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/personality/personality.h"
#include "cli/suggestion.h"

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

/// The arguments of `--as NAME ARGUMENTS...` or `--as=NAME ARGUMENTS...`, and who that is.
int run_as(const std::vector<std::string>& arguments) {
  constexpr std::string_view kJoined = "--as=";
  const bool joined = arguments.front().starts_with(kJoined);
  const std::string name = joined                 ? arguments.front().substr(kJoined.size())
                           : arguments.size() > 1 ? arguments[1]
                                                  : std::string();
  if (const personality::Personality* found = personality::find_personality(name))
    return personality::run_personality(*found, {arguments.begin() + (joined ? 1 : 2), arguments.end()});
  std::string known;
  for (const std::string& other : personality::personality_names()) known += (known.empty() ? "" : " or ") + other;
  const std::string hint = suggestion(name, personality::personality_names());
  std::fprintf(stderr, "modelmill: --as takes %s, not '%s'%s\n", known.c_str(), name.c_str(), hint.c_str());
  return static_cast<int>(ExitCode::kUsage);
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

int run_command_line(const std::string& program, const std::vector<std::string>& arguments) {
  if (const auto* found = personality::find_personality(program.substr(program.rfind('/') + 1)))
    return personality::run_personality(*found, arguments);
  if (!arguments.empty() && (arguments.front() == "--as" || arguments.front().starts_with("--as=")))
    return run_as(arguments);
  const Command parsed = parse_command_line(arguments);
  ExitCode exit_code = std::visit([](const auto& command) { return run(command); }, parsed);
  if (std::fflush(stdout) != 0 && exit_code == ExitCode::kOk) exit_code = ExitCode::kFailure;
  return static_cast<int>(exit_code);
}

}  // namespace modelmill
