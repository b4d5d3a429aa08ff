#include <algorithm>

#include "cli/command_line.h"

namespace modelmill {
namespace {

constexpr size_t kTextColumn = 30;
constexpr size_t kLineWidth = 100;

/// "  label        text", the text broken between words and set under its own beginning.
std::string entry(const std::string& label, const std::string& text) {
  std::string out = "  " + label;
  if (out.size() + 2 > kTextColumn) {
    out += '\n' + std::string(kTextColumn, ' ');
  } else {
    out.append(kTextColumn - out.size(), ' ');
  }
  size_t column = kTextColumn;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (column > kTextColumn && column + 1 + end - begin > kLineWidth) {
      out += '\n' + std::string(kTextColumn, ' ');
      column = kTextColumn;
    }
    if (column > kTextColumn) {
      out += ' ';
      ++column;
    }
    out += text.substr(begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return out + '\n';
}

/// "-h, --help" of "-h,--help".
std::string spaced(const std::string& names) {
  std::string out;
  for (const char c : names) {
    out += c;
    if (c == ',') out += ' ';
  }
  return out;
}

std::string label_of(const OptionText& option) {
  return spaced(option.names) + (option.value.empty() ? "" : " " + option.value);
}

}  // namespace

std::string help_text(const CommandText& command) {
  std::string out = command.description + ".\n\nUsage: " + command.usage + "\n";
  std::vector<std::string> groups = {"Arguments"};
  for (const OptionText& option : command.options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  }
  for (const std::string& group : groups) {
    std::string entries;
    for (const OptionText& option : command.options) {
      if (option.group == group) entries += entry(label_of(option), option.description);
    }
    if (!entries.empty()) out += "\n" + group + ":\n" + entries;
  }
  return out + "\nExamples:\n" + command.examples + "\n";
}

std::string help_text(const std::vector<CommandText>& commands) {
  std::string out =
      "modelmill serves trained models over HTTP and gRPC on one port: batched, versioned, observed.\n\n"
      "Usage: modelmill COMMAND [OPTIONS]\n\nCommands:\n";
  for (const CommandText& command : commands) out += entry(command.name, command.description);
  out += "\nOptions:\n" + entry("-h, --help", "Print this help") + entry("--version", "Print the version") +
         entry("--as SERVER ARGUMENTS...",
               "Take another server's arguments and stand in for it: "
               "tritonserver, tensorflow_model_server, torchserve, mlserver or kserve");
  return out +
         "\nExamples:\n"
         "  modelmill serve model.onnx                  serve one file\n"
         "  modelmill serve models/ --host 0.0.0.0      serve a folder of models to everyone\n"
         "  modelmill predict model.onnx input.json     ask a model once, without a server\n"
         "  modelmill doctor                            what this machine can run\n"
         "  modelmill lint models/                      what is wrong with configurations\n"
         "\n'modelmill COMMAND --help' tells more of each command.\n";
}

}  // namespace modelmill
