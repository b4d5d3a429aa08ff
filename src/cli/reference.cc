#include <string>

#include "cli/command_line.h"

namespace modelmill {
namespace {

/// Text inside a cell of a Markdown table.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string commands_markdown() {
  const std::vector<CommandText> commands = command_texts();
  std::string out = "| command | what it does |\n|---|---|\n";
  for (const CommandText& command : commands) {
    out += "| `" + command.usage + "` | " + cell(command.description) + " |\n";
  }
  out +=
      "| `modelmill --as SERVER ARGUMENTS...` | Take another server's arguments and stand in for it: "
      "tritonserver, tensorflow_model_server, torchserve, mlserver or kserve |\n"
      "| `modelmill --version` | Print the version |\n";
  for (const CommandText& command : commands) {
    out += "\n### modelmill " + command.name + "\n\n    " + command.usage + "\n\n| option | meaning |\n|---|---|\n";
    for (const OptionText& option : command.options) {
      out += "| `" + cell(option.names + (option.value.empty() ? "" : " " + option.value)) + "` | " +
             cell(option.description) + " |\n";
    }
  }
  return out;
}

}  // namespace modelmill
