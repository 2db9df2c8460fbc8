# Completions of r8 for PowerShell: add the output of `r8 completions powershell` to $PROFILE, or run
# r8 completions powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName r8 -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text } })
    # Before 7.3 PowerShell does not pass empty words on: the last one is never empty.
    & $words[0] __complete powershell @words "=$wordToComplete" 2>$null | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        if (-not $help) { $help = $value }
        $text = if ($value -match '[\s''"`$&|;,(){}@#<>]') { "'" + $value.Replace("'", "''") + "'" } else { $value }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $help)
    }
}
