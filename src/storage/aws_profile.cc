#include "storage/aws_profile.h"

#include "storage/text_file.h"

namespace modelmill {
namespace {

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string path_of(const Environment& environment, const char* variable, const char* name) {
  const std::string path = environment(variable);
  return path.empty() ? environment("HOME") + "/.aws/" + name : path;
}

}  // namespace

std::string AwsProfile::get(const std::string& setting) const {
  const auto found = settings.find(setting);
  return found == settings.end() ? std::string() : found->second;
}

bool read_ini_section(std::string_view text, std::string_view section, std::map<std::string, std::string>& settings) {
  bool found = false, inside = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view raw = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = line.back() == ']' && trim(line.substr(1, line.size() - 2)) == section;
      found |= inside;
      continue;
    }
    const size_t equals = line.find('=');
    // An indented line belongs to the nested setting above it ("s3 ="), none of which is used here.
    if (!inside || equals == std::string_view::npos || raw.front() == ' ' || raw.front() == '\t') continue;
    settings[std::string(trim(line.substr(0, equals)))] = trim(line.substr(equals + 1));
  }
  return found;
}

Result<AwsProfile> load_aws_profile(const Environment& environment) {
  AwsProfile profile{environment("AWS_PROFILE")};
  const bool named = !profile.name.empty();
  if (!named) profile.name = "default";
  const std::string config = path_of(environment, "AWS_CONFIG_FILE", "config");
  const std::string credentials = path_of(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  const std::string config_text = read_text_file(config).value_or(""),
                    secret_text = read_text_file(credentials).value_or("");
  bool found = read_ini_section(config_text, "profile " + profile.name, profile.settings);
  if (profile.name == "default") found |= read_ini_section(config_text, "default", profile.settings);
  found |= read_ini_section(secret_text, profile.name, profile.settings);
  if (named && !found)
    return not_found("AWS_PROFILE is '" + profile.name + "', which is neither in '" + config + "' nor in '" +
                     credentials + "'");
  return profile;
}

}  // namespace modelmill
