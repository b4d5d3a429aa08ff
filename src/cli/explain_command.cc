#include <cstdio>

#include "cli/commands.h"
#include "cli/explain_text.h"
#include "cli/model_info.h"

namespace modelmill {
namespace {

Result<std::string> explain(const ExplainCommand& command, ServerLink& link) {
  const std::string path = model_path("/explain", command.model, std::to_string(command.version));
  MM_ASSIGN_OR_RETURN(const std::string json, body_of(link.call("GET", path, {}, {})));
  if (command.json) return json + "\n";
  return explain_text(json);
}

}  // namespace

ExitCode run(const ExplainCommand& command) {
  auto link = link_to(command);
  if (!link.ok()) return fail("explain", link.status(), ExitCode::kUsage);
  const Result<std::string> text = explain(command, **link);
  if (!text.ok()) return fail("explain", text.status(), exit_code_of(text.status()));
  std::fputs(text->c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace modelmill
