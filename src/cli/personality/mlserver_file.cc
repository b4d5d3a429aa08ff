#include <simdjson.h>

#include <cctype>
#include <filesystem>
#include <map>

#include "cli/personality/mlserver_draft.h"
#include "repository/model_files.h"

namespace modelmill::personality {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

/// The fields of FOLDER/settings.json; none where there is no such file.
Result<Values> read_file_of(const std::string& file) {
  constexpr uint64_t kLimit = 1 << 20;
  Values values;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return values;
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(file, kLimit));
  simdjson::dom::parser parser;
  simdjson::dom::object settings;
  if (parser.parse(text).get(settings)) return invalid_argument("'" + file + "' is no JSON object");
  for (const auto& [key, value] : settings) {
    std::string_view as_text;
    values[std::string(key)] = value.get(as_text) ? simdjson::minify(value) : std::string(as_text);
  }
  return values;
}

}  // namespace

Status read_mlserver_settings(const std::string& folder, const Environment& environment, MlserverDraft& draft,
                              std::vector<const MlserverSetting*>& ignored) {
  const std::string file = (std::filesystem::path(folder) / "settings.json").string();
  MM_ASSIGN_OR_RETURN(const Values values, read_file_of(file));
  for (const MlserverSetting& setting : mlserver_settings()) {
    std::string variable = "MLSERVER_";
    for (const char c : setting.name) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto said = values.find(setting.name);
    const auto value = said != values.end() ? std::optional(said->second) : environment(variable.c_str());
    if (!value) continue;
    if (const Status status = setting.apply(draft, *value); !status.ok())
      return invalid_argument((said != values.end() ? file + ": '" + std::string(setting.name) + "'" : variable) + " " +
                              status.message());
    if (setting.taken == Taken::kIgnored) ignored.push_back(&setting);
  }
  return ok_status();
}

}  // namespace modelmill::personality
