#pragma once

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/server_config.h"

namespace modelmill {

/// What an option takes, by the names under which it is shown, in that order.
template <typename T>
using Choices = std::vector<std::pair<std::string, T>>;

/// Puts options of the kinds that this program has on commands, and remembers of them what CLI11 has no place for.
class OptionSet {
 public:
  struct Extra {
    std::vector<std::string> choices;
    bool takes_file = false;
  };

  /// The option's value is a file or folder: shells complete it so.
  CLI::Option* takes_file(CLI::Option* option) {
    extras_[option].takes_file = true;
    return option;
  }
  const Extra& extra(const CLI::Option* option) const;

  template <typename T>
  CLI::Option* add_choice(CLI::App& app, const std::string& names, const Choices<T>& choices, T& into,
                          const std::string& description);
  /// Restricts a positional argument to `choices`.
  template <typename T>
  void restrict(CLI::Option* option, const Choices<T>& choices);
  /// Whole seconds up to a day; the default is appended to the description.
  template <typename Duration>
  CLI::Option* add_seconds(CLI::App& app, const std::string& names, Duration& into, const std::string& description);
  /// --backend-directory and --backend-config.
  void add_backend_options(CLI::App& app, ServerConfig& config);

 private:
  template <typename T>
  static const T* find(const Choices<T>& choices, const std::string& name) {
    for (const auto& [known, value] : choices)
      if (known == name) return &value;
    return nullptr;
  }
  template <typename T>
  static std::string joined(const Choices<T>& choices) {
    std::string list;
    for (const auto& [name, value] : choices) list += (list.empty() ? "" : "|") + name;
    return list;
  }

  std::map<const CLI::Option*, Extra> extras_;
};

template <typename Duration>
CLI::Option* OptionSet::add_seconds(CLI::App& app, const std::string& names, Duration& into,
                                    const std::string& description) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(into);
  return app
      .add_option_function<int64_t>(
          names, [&into](const int64_t& seconds) { into = std::chrono::seconds(seconds); },
          description + " [" + std::to_string(now.count()) + "]")
      ->type_name("SECONDS")
      ->check(CLI::Range(int64_t{0}, int64_t{86'400}).description(""));
}

template <typename T>
void OptionSet::restrict(CLI::Option* option, const Choices<T>& choices) {
  // As CLI11 wants it: empty when the name is good.
  option->check(CLI::Validator(
      [&choices](std::string& name) {
        return find(choices, name) ? std::string() : "'" + name + "' is none of " + joined(choices);
      },
      ""));
  for (const auto& [name, value] : choices) extras_[option].choices.push_back(name);
}

template <typename T>
CLI::Option* OptionSet::add_choice(CLI::App& app, const std::string& names, const Choices<T>& choices, T& into,
                                   const std::string& description) {
  CLI::Option* option = app.add_option_function<std::string>(
      names, [&choices, &into](const std::string& name) { into = *find(choices, name); }, description);
  option->type_name(joined(choices));
  restrict(option, choices);
  return option;
}

}  // namespace modelmill
