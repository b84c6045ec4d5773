"""What each of some Microsoft Graph application permissions leads to, judged by hand from known attack paths.

0: to control of the directory, at once or by steps. 1: to change everyone's data or the organisation's
defences, or to read what people wrote. 2: to change lesser settings, or to read who is who and how things are
protected. 3: to lists, figures and settings that help little.
"""

TIERS: dict[int, str] = {
    0: """
        RoleManagement.ReadWrite.Directory AppRoleAssignment.ReadWrite.All Application.ReadWrite.All
        Application.ReadWrite.OwnedBy Directory.ReadWrite.All DelegatedPermissionGrant.ReadWrite.All
        RoleAssignmentSchedule.ReadWrite.Directory RoleEligibilitySchedule.ReadWrite.Directory
        RoleManagementPolicy.ReadWrite.Directory PrivilegedAccess.ReadWrite.AzureADGroup
        PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup
        PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup Policy.ReadWrite.PermissionGrant
        Policy.ReadWrite.AuthenticationMethod UserAuthenticationMethod.ReadWrite.All
        User-PasswordProfile.ReadWrite.All UserAuthMethod-TAP.ReadWrite.All
        UserAuthMethod-Passkey.ReadWrite.All Domain.ReadWrite.All Organization.ReadWrite.All
        EntitlementManagement.ReadWrite.All Synchronization.ReadWrite.All Group.ReadWrite.All
        GroupMember.ReadWrite.All DeviceManagementConfiguration.ReadWrite.All
        DeviceManagementRBAC.ReadWrite.All
    """,
    1: """
        Mail.ReadWrite Mail.Read Mail.Send MailboxSettings.ReadWrite Files.ReadWrite.All Files.Read.All
        Sites.FullControl.All Sites.ReadWrite.All Sites.Read.All Chat.Read.All ChannelMessage.Read.All
        Calendars.ReadWrite Contacts.ReadWrite Notes.Read.All OnlineMeetingTranscript.Read.All
        CallRecordings.Read.All User.ReadWrite.All User.EnableDisableAccount.All User.DeleteRestore.All
        Policy.ReadWrite.ConditionalAccess Policy.ReadWrite.Authorization
        Policy.ReadWrite.CrossTenantAccess DeviceManagementManagedDevices.PrivilegedOperations.All
        DeviceManagementManagedDevices.ReadWrite.All BitlockerKey.Read.All DeviceLocalCredential.Read.All
        eDiscovery.Read.All ThreatHunting.Read.All SecurityIncident.ReadWrite.All
        SecurityActions.ReadWrite.All IdentityRiskyUser.ReadWrite.All LifecycleWorkflows.ReadWrite.All
        AccessReview.ReadWrite.All IdentityProvider.ReadWrite.All
        CustomSecAttributeAssignment.ReadWrite.All AiEnterpriseInteraction.Read.All
    """,
    2: """
        Directory.Read.All User.Read.All Group.Read.All GroupMember.Read.All Application.Read.All
        AuditLog.Read.All Policy.Read.All RoleManagement.Read.Directory IdentityRiskyUser.Read.All
        SecurityIncident.Read.All CallRecords.Read.All Mail.ReadBasic.All OnlineMeetings.Read.All
        TeamSettings.ReadWrite.All TeamMember.ReadWrite.All Channel.Delete.All
        OrganizationalBranding.ReadWrite.All LicenseAssignment.ReadWrite.All Place.ReadWrite.All
        Sites.Selected
    """,
    3: """
        Organization.Read.All User.ReadBasic.All Team.ReadBasic.All Channel.ReadBasic.All
        Chat.ReadBasic.All Reports.Read.All ServiceHealth.Read.All ServiceMessage.Read.All
        Presence.Read.All Place.Read.All Acronym.Read.All Bookmark.Read.All TeamworkTag.Read.All
        TeamsTab.Read.All AppCatalog.Read.All SensitivityLabel.Evaluate Printer.Read.All
        LearningContent.Read.All OrganizationalBranding.Read.All BitlockerKey.ReadBasic.All
        Agreement.Read.All Schedule.Read.All
    """,
}
