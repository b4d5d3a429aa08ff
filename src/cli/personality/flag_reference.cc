#include "cli/personality/flag_reference.h"

#include <algorithm>

namespace modelmill::personality {
namespace {

std::string_view taken_text(Taken taken) {
  switch (taken) {
    case Taken::kSame: return "same";
    case Taken::kMapped: return "mapped";
    case Taken::kIgnored: break;
  }
  return "ignored";
}

/// Without the marks of Markdown.
std::string plain(std::string_view text) {
  std::string out(text);
  out.erase(std::remove(out.begin(), out.end(), '`'), out.end());
  return out;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string markdown(const std::vector<FlagText>& flags, const std::string& what, const std::string& dashes) {
  std::string out = "| " + what + " | is | |\n|---|---|---|\n";
  for (const FlagText& flag : flags) {
    out += "| `" + dashes + std::string(flag.name) + (flag.value == FlagValue::kNone ? "" : "=" + cell(flag.example)) +
           "` | " + std::string(taken_text(flag.taken)) + " | " + cell(flag.note) + " |\n";
  }
  return out;
}

}  // namespace

std::string flags_markdown(const std::vector<FlagText>& flags) { return markdown(flags, "flag", "--"); }

std::string settings_markdown(const std::vector<FlagText>& settings) { return markdown(settings, "setting", ""); }

std::string flags_usage(const std::vector<FlagText>& flags) {
  std::string out;
  for (const FlagText& flag : flags) {
    out += "  --" + std::string(flag.name);
    switch (flag.value) {
      case FlagValue::kNone: break;
      case FlagValue::kBool: out += " <boolean>"; break;
      case FlagValue::kInteger: out += " <integer>"; break;
      case FlagValue::kNumber: out += " <number>"; break;
      case FlagValue::kText: out += " <string>"; break;
    }
    out += "\n\t" + std::string(flag.taken == Taken::kIgnored ? "ignored: " : "") + plain(flag.note) + "\n";
  }
  return out;
}

std::vector<std::string> dashed_names(const std::vector<FlagText>& flags) {
  std::vector<std::string> names;
  names.reserve(flags.size());
  for (const FlagText& flag : flags) names.push_back("--" + std::string(flag.name));
  return names;
}

Notice ignored_notice(std::string_view personality, const FlagText& flag) {
  return {"a flag of " + std::string(personality) + " is ignored", "--" + std::string(flag.name), plain(flag.note)};
}

}  // namespace modelmill::personality
