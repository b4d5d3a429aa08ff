#include "model/yaml_wishes.h"

#include <set>

#include "base/json_text.h"
#include "model/yaml_check.h"
#include "model/yaml_json.h"

namespace modelmill {

std::vector<YamlWish> wishes_of_yaml(const YAML::Node& wishes, const std::string& what, const std::string& file,
                                     std::vector<ConfigProblem>& problems) {
  std::vector<YamlWish> out;
  std::set<std::string> names;
  if (!wishes.IsDefined()) return out;
  for (const auto& entry : wishes) {
    JsonWriter plan;
    plan.begin_object();
    for (const auto& item : entry)
      if (const std::string& key = item.first.Scalar(); key != "name") plan.key(key).raw(json_of_yaml(item.second));
    plan.end_object();
    out.push_back({entry["name"].Scalar(), plan.take(), file, yaml_place(file, entry.Mark())});
    if (!names.insert(out.back().name).second)
      problems.push_back(
          {Code::kInvalidArgument, out.back().place, what + " '" + out.back().name + "' is declared twice; keep one"});
  }
  return out;
}

}  // namespace modelmill
