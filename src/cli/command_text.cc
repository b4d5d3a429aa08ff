#include "cli/command_text.h"

#include <string>
#include <utility>

namespace modelmill {
namespace {

/// "--port" of "port", "-h,--help" of both.
std::string option_names(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ",-") + name;
  for (const std::string& name : option.get_lnames()) names += (names.empty() ? "--" : ",--") + name;
  return names;
}

}  // namespace

CommandText command_text(const CLI::App& app, const OptionSet& options) {
  CommandText text;
  text.name = app.get_name();
  text.usage = "modelmill " + text.name;
  text.description = app.get_description();
  text.examples = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    const OptionSet::Extra& extra = options.extra(option);
    if (!option->nonpositional()) {
      text.usage += " " + option->get_type_name() + (option->get_items_expected_max() > 1 ? "..." : "");
      text.takes_files = text.takes_files || extra.takes_file;
      if (!extra.choices.empty()) text.positional_choices = extra.choices;
    }
    OptionText one;
    one.names = option->nonpositional() ? option_names(*option) : option->get_type_name();
    if (option->nonpositional() && option->get_items_expected_max() > 0) one.value = option->get_type_name();
    one.group = option->nonpositional() ? option->get_group() : "Arguments";
    one.description = option->get_description();
    one.choices = extra.choices;
    one.takes_file = extra.takes_file;
    text.options.push_back(std::move(one));
  }
  text.usage += " [OPTIONS]";
  return text;
}

}  // namespace modelmill
