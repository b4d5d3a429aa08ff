#include "cli/resource_options.h"

#include <CLI/Error.hpp>
#include <string>
#include <utility>
#include <vector>

namespace modelmill {
namespace {

const Choices<bool> kModes = {{"off", false}, {"execution_count", true}};

}  // namespace

void define_resource_options(CLI::App& app, OptionSet& options, ResourceSettings& resources) {
  constexpr char kGroup[] = "Model control";
  options
      .add_choice(app, "--rate-limit", kModes, resources.limited,
                  "Executions take the resources that their instance_group's rate_limiter names before they begin, and "
                  "who has run least comes first (execution_count) [off]")
      ->group(kGroup);
  app.add_option_function<std::vector<std::string>>(
         "--rate-limit-resource",
         [&resources](const std::vector<std::string>& texts) {
           resources.declared.clear();
           for (const std::string& text : texts) {
             auto resource = read_declared_resource(text);
             if (!resource.ok()) throw CLI::ValidationError("--rate-limit-resource", resource.status().message());
             resources.declared.push_back(*std::move(resource));
           }
         },
         "How much there is of a resource, on each device or on one; may be repeated [without any: as much as the "
         "instance that needs most]")
      ->type_name("NAME:COUNT[:DEVICE]")
      ->allow_extra_args(false)
      ->group(kGroup);
}

}  // namespace modelmill
