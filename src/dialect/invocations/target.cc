#include "dialect/invocations/target.h"

#include <algorithm>
#include <vector>

#include "base/percent_text.h"
#include "dialect/invocations/quoted.h"

namespace modelmill::invocations {
namespace {

bool is_known(const Inference& inference, std::string_view name) {
  return inference.find_route(name) != nullptr || inference.catalog().table()->find(name) != nullptr;
}

/// One that is still loading counts: what names nobody must not go to another model while it does.
bool may_be_meant(const ModelEntry& entry) {
  return !entry.versions.empty() || entry.on_demand ||
         std::any_of(entry.statuses.begin(), entry.statuses.end(),
                     [](const VersionStatus& status) { return status.state == VersionState::kLoading; });
}

Result<std::string> only_model(const Catalog& catalog) {
  const auto table = catalog.table();
  std::vector<std::string> names;
  for (const ModelEntry* entry : table->entries())
    if (may_be_meant(*entry)) names.push_back(entry->name);
  if (names.empty() && table->size() == 1)
    names.push_back(table->entries().front()->name);  // it says why it isn't served
  if (names.size() == 1) return names.front();
  if (names.empty()) return unavailable("no model is served, so there is none for a request that names none");
  return invalid_argument("the request names no model, and " + std::to_string(names.size()) +
                          " are served: " + quoted_list(names) +
                          "; send the header 'X-Amzn-SageMaker-Target-Model: MODEL', or start the server with the one "
                          "that is meant (--default-model MODEL)");
}

}  // namespace

std::string_view archive_stem(std::string_view archive) {
  archive = archive.substr(archive.rfind('/') + 1);  // all of it where there is none
  for (const std::string_view ending : {".tar.gz", ".tgz", ".tar", ".zip", ".mar"})
    if (archive.size() > ending.size() && archive.ends_with(ending))
      return archive.substr(0, archive.size() - ending.size());
  return archive;
}

Result<std::string> asked_model(const Inference& inference, const wire::HttpRequest& request,
                                const std::string& configured) {
  const std::string_view target = request.header(kTargetModelHeader);
  if (!target.empty()) return std::string(is_known(inference, target) ? target : archive_stem(target));
  MM_ASSIGN_OR_RETURN(const NamedTexts query, parse_query(request.query));
  for (const auto& [name, value] : query)
    if (name == "model_name" && !value.empty()) return value;  // as TorchServe's clients say it
  return configured.empty() ? only_model(inference.catalog()) : configured;
}

}  // namespace modelmill::invocations
