#include "dialect/admin/experiments.h"

namespace modelmill::admin {
namespace {

using enum wire::ApiGroup;

constexpr Action kActions[] = {
    {"GET", "/admin/experiments", kMetadata,
     [](const Controls& controls, const ActionCall&) { return controls.experiments.list(); }},
    {"GET", "/admin/experiments/{experiment}", kMetadata,
     [](const Controls& controls, const ActionCall& call) { return controls.experiments.show(call.names[0]); }},
    {"POST", "/admin/experiments/{experiment}", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.experiments.start(call.names[0], call.body.view(), call.by);
     }},
    {"POST", "/admin/experiments/{experiment}/outcomes", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.experiments.outcomes(call.names[0], call.body.view());
     }},
    {"POST", "/admin/experiments/{experiment}/deploy", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.experiments.deploy(call.names[0], call.body.view(), call.by);
     }},
    {"POST", "/admin/experiments/{experiment}/stop", kManagement,
     [](const Controls& controls, const ActionCall& call) {
       return controls.experiments.stop(call.names[0], call.by);
     }},
};

}  // namespace

std::span<const Action> experiment_actions() { return kActions; }

}  // namespace modelmill::admin
