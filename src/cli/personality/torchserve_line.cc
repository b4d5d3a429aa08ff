#include <algorithm>
#include <span>

#include "cli/personality/flag_reference.h"
#include "cli/personality/torchserve_draft.h"
#include "cli/suggestion.h"

namespace modelmill::personality {
namespace {

bool is_flag(const std::string& word) { return word.size() > 1 && word.starts_with('-'); }

Status wrong(const TorchServeFlag& flag, const std::string& what) {
  return invalid_argument("argument --" + std::string(flag.name) + ": " + what);
}

/// The flag that a word without its value means.
Result<const TorchServeFlag*> find(const std::string& word) {
  std::vector<const TorchServeFlag*> begun;
  for (const TorchServeFlag& flag : torchserve_flags()) {
    const std::string name = "--" + std::string(flag.name);
    if (word == name || (flag.letter != 0 && word == std::string("-") + flag.letter)) return &flag;
    if (word.size() > 2 && name.starts_with(word)) begun.push_back(&flag);
  }
  if (begun.size() == 1) return begun.front();
  if (begun.empty())
    return invalid_argument("unrecognized arguments: " + word +
                            suggestion(word, dashed_names(texts_of(torchserve_flags()))));
  std::string could;
  for (const TorchServeFlag* flag : begun) could += (could.empty() ? "--" : ", --") + std::string(flag->name);
  return invalid_argument("ambiguous option: " + word + " could match " + could);
}

/// The values of a flag that begins `words`, and how many words that were.
struct Values {
  std::vector<std::string> values;
  size_t words = 1;
};
Result<Values> values_of(const TorchServeFlag& flag, std::span<const std::string> words) {
  Values out;
  const size_t equals = words[0].find('=');
  const bool joined = equals != std::string::npos;
  if (flag.value == FlagValue::kNone) {
    if (joined) return wrong(flag, "ignored explicit argument '" + words[0].substr(equals + 1) + "'");
    out.values.emplace_back();
    return out;
  }
  if (joined) {
    out.values.push_back(words[0].substr(equals + 1));
    return out;
  }
  while (out.words < words.size() && !is_flag(words[out.words]) && (flag.many || out.values.empty()))
    out.values.push_back(words[out.words++]);
  if (out.values.empty()) return wrong(flag, flag.many ? "expected at least one argument" : "expected one argument");
  return out;
}

}  // namespace

Status read_torchserve_line(const std::vector<std::string>& arguments, TorchServeDraft& draft,
                            std::vector<const TorchServeFlag*>& ignored) {
  const TorchServeFlag* task = nullptr;
  for (size_t i = 0; i < arguments.size();) {
    const std::string& word = arguments[i];
    if (!is_flag(word)) return invalid_argument("unrecognized arguments: " + word);
    MM_ASSIGN_OR_RETURN(const TorchServeFlag* const flag, find(word.substr(0, word.find('='))));
    MM_ASSIGN_OR_RETURN(const Values taken, values_of(*flag, std::span(arguments).subspan(i)));
    i += taken.words;
    if (flag->name == "version" || flag->name == "start" || flag->name == "stop") {
      if (task != nullptr && task != flag)
        return wrong(*flag, "not allowed with argument --" + std::string(task->name));
      task = flag;
    }
    if (flag->many) draft.models.clear();  // the last list counts
    for (const std::string& value : taken.values) MM_RETURN_IF_ERROR(flag->apply(draft, value));
    if (flag->taken == Taken::kIgnored && std::find(ignored.begin(), ignored.end(), flag) == ignored.end())
      ignored.push_back(flag);
    if (draft.help) break;
  }
  return ok_status();
}

}  // namespace modelmill::personality
