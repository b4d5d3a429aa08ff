#include "cli/completion.h"

#include <vector>

#include "cli/command_line.h"

namespace modelmill {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// "-h,--help" as its names.
std::vector<std::string> names_of(const OptionText& option) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin < option.names.size();) {
    size_t end = option.names.find(',', begin);
    if (end == std::string::npos) end = option.names.size();
    names.push_back(option.names.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

bool is_option(const OptionText& option) { return option.names.front() == '-'; }

/// Inside single quotes of any of the shells; the texts hold no quotes of their own but these.
std::string quoted(std::string_view text, std::string_view also_escaped = "") {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (also_escaped.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out + "'";
}

std::string bash_values(const CommandText& command) {
  std::string out;
  for (const OptionText& option : command.options) {
    if (option.value.empty() || !is_option(option)) continue;
    const std::string action = !option.choices.empty()
                                   ? "COMPREPLY=($(compgen -W " + quoted(joined(option.choices)) + " -- \"$word\"))"
                               : option.takes_file ? "COMPREPLY=($(compgen -f -- \"$word\"))"
                                                   : "COMPREPLY=()";
    for (const std::string& name : names_of(option)) {
      out += "    '" + command.name + " " + name + "') " + action + "; return ;;\n";
    }
  }
  return out;
}

std::string bash_script(const std::vector<CommandText>& commands) {
  std::vector<std::string> all;
  for (const CommandText& command : commands) all.push_back(command.name);
  std::string out =
      "# Completes modelmill in bash: source <(modelmill completion bash)\n"
      "_modelmill() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" command='' i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"${COMP_WORDS[i]}\" in\n      ";
  for (size_t i = 0; i < all.size(); ++i) out += (i ? "|" : "") + all[i];
  out +=
      ") command=\"${COMP_WORDS[i]}\"; break ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$command $before\" in\n";
  for (const CommandText& command : commands) out += bash_values(command);
  out += "  esac\n  case \"$command\" in\n";
  for (const CommandText& command : commands) {
    std::vector<std::string> words;
    for (const OptionText& option : command.options) {
      if (!is_option(option)) continue;
      for (std::string& name : names_of(option)) words.push_back(std::move(name));
    }
    out += "    " + command.name + ")\n      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W " +
           quoted(joined(words)) + " -- \"$word\"))\n      else COMPREPLY=($(compgen ";
    out += command.takes_files ? "-f" : "-W " + quoted(joined(command.positional_choices));
    out += " -- \"$word\")); fi ;;\n";
  }
  out += "    *) COMPREPLY=($(compgen -W " + quoted(joined(all) + " --help --version") + " -- \"$word\")) ;;\n";
  return out + "  esac\n}\ncomplete -o filenames -F _modelmill modelmill\n";
}

std::string zsh_option(const OptionText& option) {
  std::string out;
  for (const std::string& name : names_of(option)) {
    out += " \\\n        " + quoted(name + "[" + option.description + "]" +
                                        (option.value.empty()      ? ""
                                         : !option.choices.empty() ? ":value:(" + joined(option.choices) + ")"
                                         : option.takes_file       ? ":file:_files"
                                                                   : ":value: "),
                                    "");
  }
  return out;
}

/// zsh's _arguments gives brackets and colons in a description a meaning.
OptionText zsh_safe(OptionText option) {
  std::string safe;
  for (const char c : option.description) {
    if (c == '[' || c == ']' || c == ':') safe += '\\';
    safe += c;
  }
  option.description = safe;
  return option;
}

std::string zsh_script(const std::vector<CommandText>& commands) {
  std::string out =
      "#compdef modelmill\n"
      "_modelmill() {\n"
      "  local line state\n"
      "  _arguments -C '--version[Print the version]' '--help[Print help]' '1: :->command' '*:: :->arguments'\n"
      "  case $state in\n"
      "    command)\n"
      "      local -a commands=(";
  for (const CommandText& command : commands) out += "\n        " + quoted(command.name + ":" + command.description);
  out += "\n      )\n      _describe command commands ;;\n    arguments)\n      case $line[1] in\n";
  for (const CommandText& command : commands) {
    out += "      " + command.name + ")\n        _arguments";
    for (const OptionText& option : command.options) {
      if (is_option(option)) out += zsh_option(zsh_safe(option));
    }
    out += command.takes_files ? " \\\n        '*:file:_files'"
           : !command.positional_choices.empty()
               ? " \\\n        " + quoted("1:value:(" + joined(command.positional_choices) + ")")
               : "";
    out += " ;;\n";
  }
  return out +
         "      esac ;;\n  esac\n}\nif [[ $funcstack[1] == _modelmill ]]; then _modelmill \"$@\"; "
         "else compdef _modelmill modelmill; fi\n";
}

std::string fish_script(const std::vector<CommandText>& commands) {
  std::string out = "# Completes modelmill in fish\ncomplete -c modelmill -f\n";
  for (const CommandText& command : commands) {
    out += "complete -c modelmill -n __fish_use_subcommand -a " + command.name + " -d " +
           quoted(command.description, "\\") + "\n";
  }
  out += "complete -c modelmill -n __fish_use_subcommand -l version -d 'Print the version'\n";
  for (const CommandText& command : commands) {
    const std::string when = "complete -c modelmill -n '__fish_seen_subcommand_from " + command.name + "'";
    if (command.takes_files) out += when + " -F\n";
    if (!command.positional_choices.empty()) out += when + " -a " + quoted(joined(command.positional_choices)) + "\n";
    for (const OptionText& option : command.options) {
      if (!is_option(option)) continue;
      out += when;
      for (const std::string& name : names_of(option)) {
        out += name[1] == '-' ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (!option.value.empty()) out += " -r";
      if (!option.value.empty() && option.takes_file) out += " -F";
      if (!option.choices.empty()) out += " -a " + quoted(joined(option.choices));
      out += " -d " + quoted(option.description, "\\") + "\n";
    }
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  const std::vector<CommandText> commands = command_texts();
  if (shell == "zsh") return zsh_script(commands);
  if (shell == "fish") return fish_script(commands);
  return bash_script(commands);
}

}  // namespace modelmill
