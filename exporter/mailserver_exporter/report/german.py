"""The German texts, by the English ones that they stand for; a block for each module."""

from __future__ import annotations

from mailserver_exporter.report.german_host import HOST
from mailserver_exporter.report.german_mail import MAIL

GERMAN: dict[str, str] = {
    **HOST,
    **MAIL,
    # language.py
    "Monday": "Montag",
    "Tuesday": "Dienstag",
    "Wednesday": "Mittwoch",
    "Thursday": "Donnerstag",
    "Friday": "Freitag",
    "Saturday": "Samstag",
    "Sunday": "Sonntag",
    # compared.py
    "This day": "Dieser Tag",
    "Day before": "Tag davor",
    "Week before": "Woche davor",
    "{names} and {number} more": "{names} und {number} weitere",
    # certificates.py
    "not trusted": "nicht vertrauenswürdig",
    "self-signed": "selbst signiert",
    "for another name": "für einen anderen Namen",
    "not valid yet": "noch nicht gültig",
    "too weak": "zu schwach",
    "not the one on disk": "nicht das auf der Platte",
    "the next one ends in {time}": "das nächste endet in {time}",
    "{number} certificate": "{number} Zertifikat",
    "{number} certificates": "{number} Zertifikate",
    "expired: {ports}": "abgelaufen: {ports}",
    "{number} other that ends later": "{number} weiteres, das später endet",
    "{number} others that end later": "{number} weitere, die später enden",
    "Certificates": "Zertifikate",
    "Clients do not trust the certificate of port {ports}: the intermediate certificate is missing, or its "
    "authority is not known.": "Mailprogramme vertrauen dem Zertifikat von Port {ports} nicht: das Zwischenzertifikat "
    "fehlt, oder die ausstellende Stelle ist unbekannt.",
    "The certificate of port {ports} is self-signed: get one from Let's Encrypt.": "Das Zertifikat von Port {ports} "
    "ist selbst signiert: eines von Let's Encrypt holen.",
    "The certificate of port {ports} is for another name "
    "than the one that clients use.": "Das Zertifikat von Port {ports} ist für einen anderen Namen als den, den "
    "Mailprogramme verwenden.",
    "The certificate of port {ports} is not valid yet: see "
    "whether this host's clock is right.": "Das Zertifikat von Port {ports} ist noch nicht gültig: nachsehen, ob die "
    "Uhr dieses Rechners stimmt.",
    "The certificate of port {ports} is too weak for "
    "clients of today: make a new key.": "Das Zertifikat von Port {ports} ist zu schwach für heutige Mailprogramme: "
    "einen neuen Schlüssel erzeugen.",
    "Shown at port": "An Port",
    "Ends on": "Endet am",
    "Left": "Noch",
    "Problems": "Mängel",
    "TLS 1.1 or older is still taken at {ports}.": "TLS 1.1 oder älter wird noch angenommen an {ports}.",
    "Not measured any more when the period ended; this was found last.": "Am Ende des Zeitraums nicht mehr gemessen; "
    "dies wurde zuletzt gefunden.",
    "clients object to {number}": "{number} beanstanden Mailprogramme",
    "Port {ports} still takes TLS 1.1 or older: allow 1.2 and newer only.": "Port {ports} nimmt noch TLS 1.1 oder "
    "älter an: nur 1.2 und neuer erlauben.",
    "Port {ports} shows an old certificate, a newer one is "
    "on disk: reload the services.": "Port {ports} zeigt ein altes Zertifikat, ein neueres liegt auf der Platte: die "
    "Dienste neu laden.",
    "expired": "abgelaufen",
    "none": "keine",
    "The certificate of port {ports} has expired: renew it now.": "Das Zertifikat von Port {ports} ist abgelaufen: "
    "jetzt erneuern.",
    "The certificate of port {ports} ends in {time} and was not renewed: see why.": "Das Zertifikat von Port {ports} "
    "endet in {time} und wurde nicht erneuert: nachsehen, warum.",
    "The certificate of port {ports} should have been renewed by "
    "now, it ends in {time}: see why not.": "Das Zertifikat von Port {ports} hätte schon erneuert sein sollen, es "
    "endet in {time}: nachsehen, warum nicht.",
    # dns.py
    "MX": "MX",
    "other servers do not find where to bring mail to": "andere Server finden nicht, wohin sie Mail bringen sollen",
    "address of the mail host": "Adresse des Mailservers",
    "the mail host's name leads elsewhere": "der Name des Mailservers führt woanders hin",
    "IPv6 address of the mail host": "IPv6-Adresse des Mailservers",
    "reverse DNS": "Reverse-DNS",
    "large providers refuse mail from this address": "große Anbieter lehnen Mail von dieser Adresse ab",
    "SPF": "SPF",
    "others cannot see that our mail is ours": "andere können nicht sehen, dass unsere Mail von uns ist",
    "DKIM": "DKIM",
    "DMARC": "DMARC",
    "others do not know what to do with forged mail": "andere wissen nicht, was sie mit gefälschter Mail tun sollen",
    "MTA-STS": "MTA-STS",
    "servers that heed it may not deliver": "Server, die darauf achten, stellen vielleicht nicht zu",
    "TLS reports": "TLS-Berichte",
    "nobody tells you of failures of TLS": "niemand meldet dir Fehler von TLS",
    "DANE (TLSA)": "DANE (TLSA)",
    "servers that heed it do not deliver": "Server, die darauf achten, stellen nicht zu",
    "DNSSEC": "DNSSEC",
    "resolvers that check it do not find the domain": "Resolver, die es prüfen, finden die Domain nicht",
    "CAA": "CAA",
    "the next certificate may be refused": "das nächste Zertifikat wird vielleicht verweigert",
    "DNS and blocklists": "DNS und Sperrlisten",
    "not everything could be asked": "nicht alles war zu erfragen",
    "Checked last on {moment}.": "Zuletzt geprüft am {moment}.",
    "{number} check got no answer from the DNS.": "{number} Prüfung bekam keine Antwort vom DNS.",
    "{number} checks got no answer from the DNS.": "{number} Prüfungen bekamen keine Antwort vom DNS.",
    "No answer from {lists}.": "Keine Antwort von {lists}.",
    "{number} check fails": "{number} Prüfung schlägt fehl",
    "{number} checks fail": "{number} Prüfungen schlagen fehl",
    "listed by {lists}": "geführt von {lists}",
    "all is well of {number} domain": "alles gut bei {number} Domain",
    "all is well of {number} domains": "alles gut bei {number} Domains",
    "on none of {number} blocklist": "nicht auf der {number} Sperrliste",
    "on none of {number} blocklists": "auf keiner von {number} Sperrlisten",
    "{check} of {domains} is not right: {effect}.": "{check} von {domains} stimmt nicht: {effect}.",
    "{lists} lists our address: find out who sent what they saw, "
    "stop it, then ask to be taken off.": "{lists} führt unsere Adresse: herausfinden, wer gesendet hat, was sie "
    "sahen, es abstellen, dann um Streichung bitten.",
    "No blocklist answers: they refuse public resolvers. Let this "
    "host have a resolver of its own.": "Keine Sperrliste antwortet: sie weisen öffentliche Resolver ab. Diesem "
    "Rechner einen eigenen Resolver geben.",
    "The DNS of {domains} could not be asked: see whether the resolver "
    "answers; others may fare the same.": "Das DNS von {domains} war nicht zu erfragen: nachsehen, ob der Resolver "
    "antwortet; anderen geht es vielleicht ebenso.",
    "SPF of {domains} needs {number} of 10 lookups: one more and "
    "it is void. Name networks instead.": "SPF von {domains} braucht {number} von 10 Abfragen: mit mehr als 10 ist es "
    "ungültig. Stattdessen Netze nennen.",
    'DMARC of {domains} is "none": anybody may forge its senders. Read '
    "the reports, then go on to quarantine.": "DMARC von {domains} steht auf „none“: jeder kann Absender fälschen. "
    "Die Berichte lesen, dann weiter zu quarantine.",
    "The DKIM key of {domains} is shorter than 2048 bits: make a new one.": "Der DKIM-Schlüssel von {domains} ist "
    "kürzer als 2048 Bit: einen neuen erzeugen.",
    "Domain": "Domain",
    "Check": "Prüfung",
    "What comes of it": "Was daraus folgt",
    "Listed by": "Geführt von",
    "Address": "Adresse",
    "The DNS was checked last {age} ago: see why.": "Das DNS wurde zuletzt vor {age} geprüft: nachsehen, warum.",
    "the check says why": "die Prüfung sagt, warum",
    # backups.py
    "{number} backup is good": "{number} Backup ist gut",
    "{number} backups are good": "{number} Backups sind gut",
    "there is none": "es gibt keines",
    "the last one failed": "das letzte schlug fehl",
    "too old": "zu alt",
    "parts are missing": "Teile fehlen",
    "too small": "zu klein",
    "Backups": "Backups",
    "the oldest was made {age} ago": "das älteste entstand vor {age}",
    "There is no backup {name}: see whether its disk is mounted.": "Es gibt kein Backup {name}: nachsehen, ob seine "
    "Platte eingehängt ist.",
    "The newest backup {name} is damaged: make a new one, and look at the disk.": "Das neueste Backup {name} ist "
    "beschädigt: ein neues machen und die Platte ansehen.",
    "No recent copy on another machine of {names}: if this "
    "one is lost, so are its backups.": "Keine neue Kopie auf einem anderen Rechner von {names}: geht dieser "
    "verloren, dann auch seine Backups.",
    "Restoring {names} was never rehearsed, or long ago: do so on a quiet day.": "Das Wiederherstellen von {names} "
    "wurde nie geprobt oder vor langer Zeit: an einem ruhigen Tag tun.",
    "Backup": "Backup",
    "Age": "Alter",
    "Size": "Größe",
    "Of the usual": "Vom Üblichen",
    "Kept": "Vorhanden",
    "Copied": "Kopiert",
    "Rehearsed": "Geprobt",
    "{age} ago": "vor {age}",
    "The last backup {name} failed: see what it said.": "Das letzte Backup {name} schlug fehl: nachsehen, was es "
    "meldete.",
    "No copy of the backups on another machine is known: make one, "
    "or tell of it with backup-mark.": "Keine Kopie der Backups auf einem anderen Rechner ist bekannt: eine machen "
    "oder sie mit backup-mark melden.",
    "The newest backup {name} is {age} old: see whether its "
    "timer runs, and make one now.": "Das neueste Backup {name} ist {age} alt: nachsehen, ob sein Timer läuft, und "
    "jetzt eines machen.",
    "The newest backup {name} lacks {parts}: see why.": "Dem neuesten Backup {name} fehlt {parts}: nachsehen, warum.",
    "The newest backup {name} has only {ratio} of the "
    "usual size: see what it lacks.": "Das neueste Backup {name} hat nur {ratio} der üblichen Größe: nachsehen, was "
    "fehlt.",
    # updates.py
    "{number} update waits": "{number} Update wartet",
    "{number} updates wait": "{number} Updates warten",
    "no": "nein",
    "no update waits": "kein Update wartet",
    "since {moment}": "seit {moment}",
    "Updates": "Updates",
    "{security} of them for security, for {age}": "davon {security} für die Sicherheit, seit {age}",
    "a reboot has been due for {age}": "ein Neustart ist seit {age} fällig",
    "security updates": "Sicherheitsupdates",
    "other updates": "andere Updates",
    "{running}, installed {installed}": "{running}, installiert {installed}",
    "held back": "zurückgehalten",
    "Waiting": "Wartend",
    "reboot required": "Neustart nötig",
    "apt has not heard of new updates for {age}: see whether it is still asked.": "apt weiß seit {age} nichts von "
    "neuen Updates: nachsehen, ob es noch gefragt wird.",
    "{number} security update has been waiting for {age}: install it.": "{number} Sicherheitsupdate wartet seit "
    "{age}: installieren.",
    "{number} security updates have been waiting, the "
    "oldest for {age}: install them.": "{number} Sicherheitsupdates warten, das älteste seit {age}: installieren.",
    "A reboot has been due for {age}, the old kernel or "
    "library runs on: choose a quiet hour.": "Ein Neustart ist seit {age} fällig, der alte Kernel oder die alte "
    "Bibliothek läuft weiter: eine ruhige Stunde wählen.",
    "oldest security update": "ältestes Sicherheitsupdate",
    "age of the package lists": "Alter der Paketlisten",
    "kernel": "Kernel",
    # charts.py
    "no data": "keine Daten",
    "warning": "Warnung",
    "critical": "kritisch",
    # words.py
    "had a warning": "hatte eine Warnung",
    "was critical": "war kritisch",
    "good": "gut",
    "note": "Hinweis",
    "{start} to {end}": "{start} bis {end}",
    "Made by mailserver-exporter {version} on {date} at {time}.": "Erstellt von mailserver-exporter {version}: "
    "{date}, {time}.",
    # html.py, plain.py, bounded.py
    "Recommended actions": "Empfohlene Maßnahmen",
    "{number} more is not shown": "{number} weitere wird nicht gezeigt",
    "{number} more are not shown": "{number} weitere werden nicht gezeigt",
    # compose.py, wellness.py
    "All well": "Alles in Ordnung",
    "All well: {reasons}": "Alles in Ordnung: {reasons}",
    "What could be asked is well": "Was erfragt werden konnte, ist in Ordnung",
    "{number} service always up": "{number} Dienst immer da",
    "{number} services always up": "{number} Dienste immer da",
    "{number} alert is over": "{number} Alarm ist vorbei",
    "{number} alerts are over": "{number} Alarme sind vorbei",
    "no alert": "kein Alarm",
    "newest backup {age} old": "neuestes Backup {age} alt",
    "CRITICAL": "KRITISCH",
    "INCOMPLETE": "UNVOLLSTÄNDIG",
    "{number} warning": "{number} Warnung",
    "{number} warnings": "{number} Warnungen",
    "{number} more": "{number} weitere",
    "daily report": "Tagesbericht",
    # run.py
    "Prometheus at {url} has measured nothing of {host} in this time": "Prometheus unter {url} hat in dieser Zeit "
    "nichts von {host} gemessen",
    "Prometheus could not be asked: {error}": "Prometheus konnte nicht gefragt werden: {error}",
    "The alert log cannot be read: {error}": "Das Alarm-Log kann nicht gelesen werden: {error}",
    "The report before this one could not be sent: {error}": "Der Bericht davor konnte nicht verschickt werden: "
    "{error}",
    "A fault in this program keeps back what is known of {subject}: {error}": "Ein Fehler in diesem Programm hält "
    "zurück, was über {subject} bekannt ist: {error}",
    "A fault in this program keeps the details back: {error}": "Ein Fehler in diesem Programm hält die Einzelheiten "
    "zurück: {error}",
    # sections/alerts.py
    "Alerts": "Alarme",
    "{severity} {number} times, {time} in all": "{severity} {number}-mal, insgesamt {time}",
    "{severity} for {time}": "{severity}, {time} lang",
    "now since {moment}": "jetzt seit {moment}",
    "still firing": "besteht noch",
    "over": "vorbei",
    "over since {moment}": "vorbei seit {moment}",
    "Times": "Wie oft",
    "{number} is over": "{number} ist vorbei",
    "{number} are over": "{number} sind vorbei",
    "State": "Zustand",
    "{number} more is over": "{number} weiterer ist vorbei",
    "{number} more are over": "{number} weitere sind vorbei",
    "{alert} (fires since {moment})": "{alert} (seit {moment})",
    "{number} alert fires now.": "{number} Alarm besteht.",
    "{number} alerts fire now.": "{number} Alarme bestehen.",
    "No alert fires now.": "Kein Alarm besteht.",
    "No alert fired.": "Es gab keinen Alarm.",
    "{text} ({number} critical).": "{text} ({number} kritisch).",
}
