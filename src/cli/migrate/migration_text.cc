#include "cli/migrate/migration_text.h"

#include <array>
#include <vector>

#include "base/json_text.h"
#include "cli/migrate/find_foreign.h"
#include "cli/number_text.h"

namespace modelmill {
namespace {

constexpr std::array kFates = {SettingFate::kSame, SettingFate::kBetter, SettingFate::kGone};

std::string setting_text(const MovedSetting& setting) {
  std::string fate = fate_name(setting.fate);
  fate.resize(8, ' ');
  std::string out = "  " + fate + setting.theirs;
  if (!setting.ours.empty()) out += " -> " + setting.ours;
  if (!setting.why.empty())
    out += (setting.ours.empty() ? ": " : " (") + setting.why + (setting.ours.empty() ? "" : ")");
  return out + (setting.place.empty() ? "" : "  [" + setting.place + "]") + "\n";
}

size_t count_of(const Migration& migration, SettingFate fate) {
  size_t count = 0;
  const auto add = [&](const std::vector<MovedSetting>& settings) {
    for (const MovedSetting& setting : settings) count += setting.fate == fate ? 1 : 0;
  };
  for (const MovedModel& model : migration.models) add(model.settings);
  add(migration.settings);
  return count;
}

std::string versions_text(const FoundModel& model) {
  std::string out;
  for (const FoundVersion& version : model.versions) out += (out.empty() ? "" : ", ") + std::to_string(version.version);
  return out;
}

void write_settings(JsonWriter& json, const std::vector<MovedSetting>& settings) {
  json.key("settings").begin_array();
  for (const MovedSetting& setting : settings) {
    json.begin_object().field("fate", fate_name(setting.fate)).field("from", setting.theirs);
    json.field("to", setting.ours).field("why", setting.why).field("place", setting.place).end_object();
  }
  json.end_array();
}

}  // namespace

std::string migration_text(const Migration& migration, const ReportOptions& options) {
  std::string out;
  for (const MovedModel& model : migration.models) {
    const std::string versions = versions_text(model.found);
    out += model.found.name + " (" + system_title(model.system) + ")" +
           (versions.empty() ? "" : ", versions " + versions) + "\n";
    for (const MovedSetting& setting : model.settings) out += setting_text(setting);
    if (model.settings.empty()) out += "  nothing is set\n";
    if (options.written) continue;
    out += "  modelmill.yaml:\n";
    for (size_t at = 0; at < model.yaml.size();) {
      const size_t end = model.yaml.find('\n', at);
      out += "    " + model.yaml.substr(at, end + 1 - at);
      at = end + 1;
    }
  }
  if (!migration.settings.empty()) out += "the server\n";
  for (const MovedSetting& setting : migration.settings) out += setting_text(setting);
  out += counted(migration.models.size(), "model") + ":";
  for (const SettingFate fate : kFates)
    out += std::string(fate == kFates.front() ? " " : ", ") + std::to_string(count_of(migration, fate)) + " " +
           fate_name(fate);
  out +=
      migration.left_out.empty() ? "\n" : "; " + counted(migration.left_out.size(), "problem") + " left models out\n";
  if (!options.written)
    return out + (options.dry_run ? "nothing is written: this is a dry run\n" : "nothing is written\n");
  return out + "`modelmill serve " + options.to + "` serves them; files are " +
         (options.copied ? "copies\n" : "links to where they were\n");
}

std::string migration_json(const Migration& migration, const ReportOptions& options) {
  JsonWriter json;
  json.begin_object().field("written", options.written).field("folder", options.to);
  for (const SettingFate fate : kFates) json.field(fate_name(fate), uint64_t{count_of(migration, fate)});
  json.key("models").begin_array();
  for (const MovedModel& model : migration.models) {
    json.begin_object().field("name", model.found.name).field("system", system_title(model.system));
    json.key("versions").begin_array();
    for (const FoundVersion& version : model.found.versions) json.value(version.version);
    json.end_array();
    write_settings(json, model.settings);
    json.field("modelmill_yaml", model.yaml).field("config_pbtxt", model.leftover).end_object();
  }
  json.end_array().key("server").begin_object();
  write_settings(json, migration.settings);
  json.end_object().key("left_out").begin_array();
  for (const ConfigProblem& problem : migration.left_out)
    json.begin_object().field("place", problem.place).field("message", problem.message).end_object();
  json.end_array().key("notes").begin_array();
  for (const std::string& note : migration.notes) json.value(note);
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace modelmill
